// pair_style anial: an ensemble of ANI networks in LAMMPS.

#ifndef LMP_PAIR_ANIAL_H
#define LMP_PAIR_ANIAL_H

#include "pair.h"

#include <vector>

#include "anial.hpp"

namespace LAMMPS_NS {

class PairAnial : public Pair {
 public:
  explicit PairAnial(class LAMMPS *);
  ~PairAnial() override;

  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  double init_one(int, int) override { return ANIAL_CUTOFF; }
  void compute(int, int) override;

  // For fix pair: energy_disagreement and force_disagreement, by atom.
  void *extract(const char *, int &) override;
  void *extract_peratom(const char *, int &) override;
  int pack_reverse_comm(int, int, double *) override;
  void unpack_reverse_comm(int, int *, double *) override;
  double memory_usage() override;

 private:
  void fill(int first, int last);
  void add_energies(int first, double *members);
  void add_forces(int first);
  void set_vector(const double *members);
  void set_force_disagreement();

  anial::Chunk chunk_;
  std::vector<int> neighbours_;                    // local index of the neighbour of each pair of the chunk
  std::vector<double> member_forces_;              // of local and ghost atoms, by member, x, y, z
  std::vector<double> energy_deviation_, force_deviation_;    // of local atoms
  int wants_energies_ = 0, wants_forces_ = 0;      // set by fix pair for the steps on which it reads
};

}    // namespace LAMMPS_NS

#endif
