// Evaluates an ensemble of ANI networks, atom by atom, from the vectors to its neighbours.
//
// The kernels and the model are in anial.o; anial_model.h describes it. Both are written for one processor and one
// ensemble by the export. Units: eV, angstrom.

#ifndef ANIAL_HPP
#define ANIAL_HPP

#include <cstddef>
#include <cstdint>
#include <vector>

#include "anial_model.h"

extern "C" {
int32_t anial_kernel(int64_t *result, void **exception, const int64_t *call);
extern const char anial_model[];
}

namespace anial {

// Up to ANIAL_CHUNK atoms, which are evaluated together. Fill it by add_atom and add_neighbour; then call evaluate.
class Chunk {
 public:
  Chunk() : work_(ANIAL_WORK_BYTES / sizeof(int64_t) + 1, 0) { clear(); }

  void clear()
  {
    starts_.assign(1, 0);
    vectors_.clear();
  }

  int n_atoms() const { return static_cast<int>(starts_.size()) - 1; }
  bool is_full() const { return n_atoms() == ANIAL_CHUNK; }

  // Add a neighbour of the atom that add_atom will add next, if it is within the cutoff. Returns whether it is.
  bool add_neighbour(double x, double y, double z)
  {
    if (x * x + y * y + z * z >= ANIAL_CUTOFF * ANIAL_CUTOFF) return false;
    vectors_.push_back(x);
    vectors_.push_back(y);
    vectors_.push_back(z);
    return true;
  }

  // Add an atom, with the neighbours added since the last one. Returns false if they are too many; then the chunk is
  // of no more use.
  bool add_atom()
  {
    starts_.push_back(static_cast<int64_t>(vectors_.size() / 3));
    return n_neighbours(n_atoms() - 1) <= ANIAL_MOST_NEIGHBOURS;
  }

  int64_t first_pair(int atom) const { return starts_[atom]; }
  int64_t n_neighbours(int atom) const { return starts_[atom + 1] - starts_[atom]; }
  const double *vector(int64_t pair) const { return &vectors_[3 * pair]; }

  // Compute the energies, and the derivatives by the vectors: none (n_gradients = 0), those of the mean energy of the
  // members (1), or those of each member (ANIAL_MEMBERS).
  void evaluate(int n_gradients)
  {
    energies_.resize(static_cast<std::size_t>(ANIAL_MEMBERS) * n_atoms());
    gradients_.resize(n_gradients * vectors_.size());
    const int64_t call[] = {n_atoms(), n_gradients, address(starts_.data()), address(vectors_.data()),
                            address(energies_.data()), address(gradients_.data()), address(anial_model),
                            address(work_.data())};
    int64_t result;
    void *exception;
    anial_kernel(&result, &exception, call);
  }

  // Energy of an atom by a member, without that of the free atom, ANIAL_SELF_ENERGY.
  double energy(int member, int atom) const
  {
    return energies_[static_cast<std::size_t>(member) * n_atoms() + atom];
  }

  // Derivative of the energy of the atom of a pair by its vector.
  const ANIAL_REAL *gradient(int which, int64_t pair) const { return &gradients_[which * vectors_.size() + 3 * pair]; }

 private:
  static int64_t address(const void *pointer) { return static_cast<int64_t>(reinterpret_cast<intptr_t>(pointer)); }

  std::vector<int64_t> starts_, work_;
  std::vector<double> vectors_, energies_;
  std::vector<ANIAL_REAL> gradients_;
};

// The first feature that the kernels need and this processor does not have, or nullptr.
inline const char *missing_feature()
{
#define ANIAL_CHECK(feature) if (!__builtin_cpu_supports(feature)) return feature;
  ANIAL_FEATURES
#undef ANIAL_CHECK
  return nullptr;
}

}    // namespace anial

#endif
