// Registers pair_style anial with LAMMPS, if the processor and the version of LAMMPS are those it was built for.

#include "error.h"
#include "lammps.h"
#include "library.h"
#include "pair_anial.h"

using namespace LAMMPS_NS;

namespace {

// The layout of struct lammpsplugin_t in lammpsplugin.h, which packages of LAMMPS lack.
struct Plugin {
  const char *version, *style, *name, *info, *author;
  Pair *(*create)(LAMMPS *);
  void *handle;
};

Pair *create(LAMMPS *lmp)
{
  return new PairAnial(lmp);
}

}    // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void *pointer, void *handle, void *function)
{
  auto *lmp = static_cast<LAMMPS *>(pointer);
  if (lammps_version(pointer) != ANIAL_LAMMPS)
    lmp->error->all(FLERR, "anialplugin.so is for version {} of LAMMPS, and this is {}: run its build.sh again",
                    ANIAL_LAMMPS, lammps_version(pointer));
  if (const char *feature = anial::missing_feature())
    lmp->error->all(FLERR, "anialplugin.so is for processors with {}, which this one has not: export with --cpu avx2",
                    feature);
  Plugin plugin = {lmp->version, "pair", "anial", "ANI networks, aiida-anial " ANIAL_VERSION, "aiida-anial", create,
                   handle};
  reinterpret_cast<void (*)(void *, void *)>(function)(&plugin, lmp);
}
