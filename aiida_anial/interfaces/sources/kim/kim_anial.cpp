// An ensemble of ANI networks as a portable model of OpenKIM: energies, forces and virials, also by atom.

#include <cmath>
#include <string>
#include <vector>

#include "KIM_LogMacros.hpp"
#include "KIM_ModelHeaders.hpp"
#include "anial.hpp"

namespace {

constexpr double CUTOFF = ANIAL_CUTOFF;
// The energy of an atom depends on its own neighbours only.
constexpr int NO_NEIGHBOURS_OF_GHOSTS = 1;

// What a call of compute writes; a null pointer is not wanted.
struct Wanted {
  double *energy, *forces, *atom_energies, *virial, *atom_virials;

  bool gradients() const { return forces || virial || atom_virials; }
};

int create_arguments(KIM::ModelCompute const *, KIM::ModelComputeArgumentsCreate *arguments)
{
  namespace name = KIM::COMPUTE_ARGUMENT_NAME;
  const KIM::SupportStatus optional = KIM::SUPPORT_STATUS::optional;
  return arguments->SetArgumentSupportStatus(name::partialEnergy, optional) ||
      arguments->SetArgumentSupportStatus(name::partialForces, optional) ||
      arguments->SetArgumentSupportStatus(name::partialParticleEnergy, optional) ||
      arguments->SetArgumentSupportStatus(name::partialVirial, optional) ||
      arguments->SetArgumentSupportStatus(name::partialParticleVirial, optional);
}

int destroy_arguments(KIM::ModelCompute const *, KIM::ModelComputeArgumentsDestroy *)
{
  return 0;
}

// Add the results of the atoms of a chunk, whose indices and those of their neighbours are given.
void add(anial::Chunk &chunk, const std::vector<int> &atoms, const std::vector<int> &neighbours, const Wanted &wanted)
{
  chunk.evaluate(wanted.gradients() ? 1 : 0);
  for (int at = 0; at < chunk.n_atoms(); at++) {
    const int i = atoms[at];
    double energy = ANIAL_SELF_ENERGY;
    for (int member = 0; member < ANIAL_MEMBERS; member++) energy += chunk.energy(member, at) / ANIAL_MEMBERS;
    if (wanted.energy) *wanted.energy += energy;
    if (wanted.atom_energies) wanted.atom_energies[i] += energy;
    if (!wanted.gradients()) continue;
    const int64_t end = chunk.first_pair(at) + chunk.n_neighbours(at);
    for (int64_t pair = chunk.first_pair(at); pair < end; pair++) {
      const int j = neighbours[pair];
      const ANIAL_REAL *g = chunk.gradient(0, pair);
      if (wanted.forces)
        for (int k = 0; k < 3; k++) {
          wanted.forces[3 * i + k] += g[k];
          wanted.forces[3 * j + k] -= g[k];
        }
      const double *r = chunk.vector(pair);
      // In the order of Voigt: xx, yy, zz, yz, xz, xy.
      const double virial[] = {r[0] * g[0], r[1] * g[1], r[2] * g[2], r[1] * g[2], r[0] * g[2], r[0] * g[1]};
      for (int k = 0; k < 6; k++) {
        if (wanted.virial) wanted.virial[k] += virial[k];
        if (wanted.atom_virials) {
          wanted.atom_virials[6 * i + k] += 0.5 * virial[k];
          wanted.atom_virials[6 * j + k] += 0.5 * virial[k];
        }
      }
    }
  }
}

int compute(KIM::ModelCompute const *model, KIM::ModelComputeArguments const *arguments)
{
  namespace name = KIM::COMPUTE_ARGUMENT_NAME;
  const int *n_atoms = nullptr, *contributing = nullptr;
  const double *x = nullptr;
  Wanted wanted{};
  if (arguments->GetArgumentPointer(name::numberOfParticles, &n_atoms) ||
      arguments->GetArgumentPointer(name::particleContributing, &contributing) ||
      arguments->GetArgumentPointer(name::coordinates, &x) ||
      arguments->GetArgumentPointer(name::partialEnergy, &wanted.energy) ||
      arguments->GetArgumentPointer(name::partialForces, &wanted.forces) ||
      arguments->GetArgumentPointer(name::partialParticleEnergy, &wanted.atom_energies) ||
      arguments->GetArgumentPointer(name::partialVirial, &wanted.virial) ||
      arguments->GetArgumentPointer(name::partialParticleVirial, &wanted.atom_virials))
    return 1;
  const int n = *n_atoms;
  if (wanted.energy) *wanted.energy = 0.0;
  if (wanted.forces) std::fill_n(wanted.forces, 3 * n, 0.0);
  if (wanted.atom_energies) std::fill_n(wanted.atom_energies, n, 0.0);
  if (wanted.virial) std::fill_n(wanted.virial, 6, 0.0);
  if (wanted.atom_virials) std::fill_n(wanted.atom_virials, 6 * n, 0.0);

  anial::Chunk chunk;
  std::vector<int> atoms, neighbours;
  for (int i = 0; i < n; i++) {
    if (!contributing[i]) continue;
    int n_listed;
    const int *listed;
    if (arguments->GetNeighborList(0, i, &n_listed, &listed)) return 1;
    for (int at = 0; at < n_listed; at++) {
      const double *own = x + 3 * i, *other = x + 3 * listed[at];
      if (chunk.add_neighbour(other[0] - own[0], other[1] - own[1], other[2] - own[2])) neighbours.push_back(listed[at]);
    }
    atoms.push_back(i);
    if (!chunk.add_atom()) {
      model->LogEntry(KIM::LOG_VERBOSITY::error,
                      "an atom has more than " + std::to_string(ANIAL_MOST_NEIGHBOURS) + " neighbours", __LINE__, __FILE__);
      return 1;
    }
    if (chunk.is_full()) {
      add(chunk, atoms, neighbours, wanted);
      chunk.clear();
      atoms.clear();
      neighbours.clear();
    }
  }
  if (chunk.n_atoms()) add(chunk, atoms, neighbours, wanted);
  return 0;
}

int destroy(KIM::ModelDestroy *)
{
  return 0;
}

template <class Routine> KIM::Function *pointer(Routine *routine)
{
  return reinterpret_cast<KIM::Function *>(routine);
}

}    // namespace

extern "C" int anial_create(KIM::ModelCreate *model, KIM::LengthUnit, KIM::EnergyUnit, KIM::ChargeUnit,
                            KIM::TemperatureUnit, KIM::TimeUnit)
{
  namespace routine = KIM::MODEL_ROUTINE_NAME;
  if (const char *feature = anial::missing_feature()) {
    model->LogEntry(KIM::LOG_VERBOSITY::error,
                    std::string("the model is for processors with ") + feature +
                        ", which this one has not: export with --cpu avx2",
                    __LINE__, __FILE__);
    return 1;
  }
  model->SetInfluenceDistancePointer(&CUTOFF);
  model->SetNeighborListPointers(1, &CUTOFF, &NO_NEIGHBOURS_OF_GHOSTS);
  const KIM::LanguageName cpp = KIM::LANGUAGE_NAME::cpp;
  // Programs convert from these units.
  return model->SetUnits(KIM::LENGTH_UNIT::A, KIM::ENERGY_UNIT::eV, KIM::CHARGE_UNIT::unused,
                         KIM::TEMPERATURE_UNIT::unused, KIM::TIME_UNIT::unused) ||
      model->SetModelNumbering(KIM::NUMBERING::zeroBased) ||
      model->SetSpeciesCode(KIM::SpeciesName(ANIAL_SYMBOL), 0) ||
      model->SetRoutinePointer(routine::ComputeArgumentsCreate, cpp, true, pointer(&create_arguments)) ||
      model->SetRoutinePointer(routine::Compute, cpp, true, pointer(&compute)) ||
      model->SetRoutinePointer(routine::ComputeArgumentsDestroy, cpp, true, pointer(&destroy_arguments)) ||
      model->SetRoutinePointer(routine::Destroy, cpp, true, pointer(&destroy));
}
