#include "pair_anial.h"

#include <cmath>
#include <cstring>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"

using namespace LAMMPS_NS;

namespace {

constexpr int MEMBERS = ANIAL_MEMBERS;

// Standard deviation of a sample, as everywhere in aiida-anial; 0 for a single value. `stride` separates the values.
double deviation(const double *values, int stride)
{
  if (MEMBERS < 2) return 0.0;
  double mean = 0.0, squares = 0.0;
  for (int member = 0; member < MEMBERS; member++) mean += values[member * stride] / MEMBERS;
  for (int member = 0; member < MEMBERS; member++) squares += std::pow(values[member * stride] - mean, 2);
  return std::sqrt(squares / (MEMBERS > 1 ? MEMBERS - 1 : 1));
}

}    // namespace

PairAnial::PairAnial(LAMMPS *lmp) : Pair(lmp)
{
  single_enable = 0;
  restartinfo = 0;
  one_coeff = 1;
  manybody_flag = 1;
  unit_convert_flag = 0;
  centroidstressflag = CENTROID_NOTAVAIL;
  no_virial_fdotr_compute = 1;
  comm_reverse = comm_reverse_off = 3 * MEMBERS;
  nextra = MEMBERS + 1;
  pvector = new double[nextra]();
}

PairAnial::~PairAnial()
{
  delete[] pvector;
  if (allocated) {
    memory->destroy(setflag);
    memory->destroy(cutsq);
  }
}

void PairAnial::settings(int narg, char **)
{
  if (narg) error->all(FLERR, "pair_style anial takes no arguments");
}

void PairAnial::coeff(int narg, char **arg)
{
  if (narg != 2 || std::strcmp(arg[0], "*") != 0 || std::strcmp(arg[1], "*") != 0)
    error->all(FLERR, "pair_style anial: write 'pair_coeff * *'; atoms of all types are " ANIAL_SYMBOL);
  const int n = atom->ntypes;
  if (!allocated) {
    memory->create(setflag, n + 1, n + 1, "pair:setflag");
    memory->create(cutsq, n + 1, n + 1, "pair:cutsq");
    allocated = 1;
  }
  for (int i = 1; i <= n; i++)
    for (int j = 1; j <= n; j++) setflag[i][j] = 1;
}

void PairAnial::init_style()
{
  if (std::strcmp(update->unit_style, "metal") != 0)
    error->all(FLERR, "pair_style anial needs 'units metal' (eV, angstrom)");
  if (!force->newton_pair) error->all(FLERR, "pair_style anial needs 'newton on'");
  neighbor->add_request(this, NeighConst::REQ_FULL);
}

void PairAnial::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  double members[MEMBERS] = {};
  if (wants_energies_) energy_deviation_.resize(atom->nmax);
  if (wants_forces_) member_forces_.assign(static_cast<size_t>(3 * MEMBERS) * (atom->nlocal + atom->nghost), 0.0);
  for (int first = 0; first < list->inum; first += ANIAL_CHUNK) {
    fill(first, std::min(first + ANIAL_CHUNK, list->inum));
    chunk_.evaluate(wants_forces_ ? MEMBERS : 1);
    add_energies(first, members);
    add_forces(first);
  }
  if (eflag_global) set_vector(members);
  if (wants_forces_) set_force_disagreement();
}

// Put some atoms of the list into the chunk.
void PairAnial::fill(int first, int last)
{
  double **x = atom->x;
  chunk_.clear();
  neighbours_.clear();
  for (int ii = first; ii < last; ii++) {
    const int i = list->ilist[ii];
    const int *of_i = list->firstneigh[i];
    for (int jj = 0; jj < list->numneigh[i]; jj++) {
      const int j = of_i[jj] & NEIGHMASK;
      if (chunk_.add_neighbour(x[j][0] - x[i][0], x[j][1] - x[i][1], x[j][2] - x[i][2])) neighbours_.push_back(j);
    }
    if (!chunk_.add_atom())
      error->one(FLERR, "pair_style anial: atom {} has more than {} neighbours within {} angstrom", atom->tag[i],
                 ANIAL_MOST_NEIGHBOURS, ANIAL_CUTOFF);
  }
}

void PairAnial::add_energies(int first, double *members)
{
  for (int at = 0; at < chunk_.n_atoms(); at++) {
    const int i = list->ilist[first + at];
    double of_atom[MEMBERS], mean = 0.0;
    for (int member = 0; member < MEMBERS; member++) {
      of_atom[member] = chunk_.energy(member, at);
      members[member] += of_atom[member] + ANIAL_SELF_ENERGY;
      mean += of_atom[member] / MEMBERS;
    }
    if (eflag_global) eng_vdwl += mean + ANIAL_SELF_ENERGY;
    if (eflag_atom) eatom[i] += mean + ANIAL_SELF_ENERGY;
    if (wants_energies_) energy_deviation_[i] = deviation(of_atom, 1);
  }
}

// Add the pair gradients of the chunk to the forces and the virials.
void PairAnial::add_forces(int first)
{
  double **f = atom->f;
  const int n_gradients = wants_forces_ ? MEMBERS : 1;
  for (int at = 0; at < chunk_.n_atoms(); at++) {
    const int i = list->ilist[first + at];
    const int64_t end = chunk_.first_pair(at) + chunk_.n_neighbours(at);
    for (int64_t pair = chunk_.first_pair(at); pair < end; pair++) {
      const int j = neighbours_[pair];
      double g[3] = {0.0, 0.0, 0.0};
      for (int which = 0; which < n_gradients; which++)
        for (int k = 0; k < 3; k++) {
          const double one = chunk_.gradient(which, pair)[k];
          g[k] += one / n_gradients;
          if (wants_forces_) {
            member_forces_[3 * (static_cast<size_t>(MEMBERS) * i + which) + k] += one;
            member_forces_[3 * (static_cast<size_t>(MEMBERS) * j + which) + k] -= one;
          }
        }
      for (int k = 0; k < 3; k++) {
        f[i][k] += g[k];
        f[j][k] -= g[k];
      }
      if (vflag_either) {
        const double *r = chunk_.vector(pair);
        double v[6] = {-r[0] * g[0], -r[1] * g[1], -r[2] * g[2], -r[0] * g[1], -r[0] * g[2], -r[1] * g[2]};
        for (int k = 0; k < 6; k++) {
          if (vflag_global) virial[k] += v[k];
          if (vflag_atom) {
            vatom[i][k] += 0.5 * v[k];
            vatom[j][k] += 0.5 * v[k];
          }
        }
      }
    }
  }
}

// Energies of the members, then their disagreement: the standard deviation over the square root of the number of atoms.
void PairAnial::set_vector(const double *members)
{
  double total[MEMBERS];
  MPI_Allreduce(members, total, MEMBERS, MPI_DOUBLE, MPI_SUM, world);
  // compute pair adds the values of all ranks.
  const bool is_first = comm->me == 0;
  for (int member = 0; member < MEMBERS; member++) pvector[member] = is_first ? total[member] : 0.0;
  pvector[MEMBERS] = is_first && atom->natoms > 0 ? deviation(total, 1) / std::sqrt(double(atom->natoms)) : 0.0;
}

// Root mean square over x, y, z of the deviation of the members' forces.
void PairAnial::set_force_disagreement()
{
  comm->reverse_comm(this);
  force_deviation_.resize(atom->nmax);
  for (int i = 0; i < atom->nlocal; i++) {
    double squares = 0.0;
    for (int k = 0; k < 3; k++)
      squares += std::pow(deviation(&member_forces_[3 * static_cast<size_t>(MEMBERS) * i + k], 3), 2);
    force_deviation_[i] = std::sqrt(squares / 3);
  }
}

void *PairAnial::extract(const char *name, int &dim)
{
  dim = 0;
  if (std::strcmp(name, "energy_disagreement_flag") == 0) return &wants_energies_;
  if (std::strcmp(name, "force_disagreement_flag") == 0) return &wants_forces_;
  return nullptr;
}

void *PairAnial::extract_peratom(const char *name, int &columns)
{
  columns = 0;
  // Before the first evaluation there are no values, and fix pair reads them all the same.
  if (std::strcmp(name, "energy_disagreement") == 0) {
    energy_deviation_.resize(atom->nmax);
    return energy_deviation_.data();
  }
  if (std::strcmp(name, "force_disagreement") == 0) {
    force_deviation_.resize(atom->nmax);
    return force_deviation_.data();
  }
  return nullptr;
}

int PairAnial::pack_reverse_comm(int n, int first, double *buffer)
{
  const size_t each = 3 * MEMBERS;
  std::memcpy(buffer, &member_forces_[each * first], each * n * sizeof(double));
  return static_cast<int>(each) * n;
}

void PairAnial::unpack_reverse_comm(int n, int *of, double *buffer)
{
  const size_t each = 3 * MEMBERS;
  for (int at = 0; at < n; at++)
    for (size_t k = 0; k < each; k++) member_forces_[each * of[at] + k] += buffer[each * at + k];
}

double PairAnial::memory_usage()
{
  return ANIAL_WORK_BYTES + sizeof(double) * double(member_forces_.size() + energy_deviation_.size() +
                                                    force_deviation_.size());
}
