// Which of the tables of kernels, one for each instruction set that was compiled, is this CPU's.
#pragma once

namespace thaw {

// Numbers that the kernels take at a time, whatever the width of the CPU's registers.
constexpr int kLanes = 16;

// The widest instruction set that is compiled and that this CPU has.
enum class InstructionSet { kBaseline, kAvx2, kAvx512 };

inline InstructionSet BestInstructionSet() {
#ifdef THAW_KERNELS_Avx512
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return InstructionSet::kAvx512;
  }
#endif
#ifdef THAW_KERNELS_Avx2
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return InstructionSet::kAvx2;
  }
#endif
  return InstructionSet::kBaseline;
}

// Declares `Table k<Set>Name` of every compiled set and defines `const Table& Best()`.
#ifdef THAW_KERNELS_Avx512
#define THAW_DECLARE_AND_CHOOSE(Table, Name, Best)                \
  extern const Table kAvx512##Name, kAvx2##Name, kBaseline##Name; \
  const Table& Best() {                                           \
    static const Table& best = [&]() -> const Table& {            \
      switch (BestInstructionSet()) {                             \
        case InstructionSet::kAvx512:                             \
          return kAvx512##Name;                                   \
        case InstructionSet::kAvx2:                               \
          return kAvx2##Name;                                     \
        default:                                                  \
          return kBaseline##Name;                                 \
      }                                                           \
    }();                                                          \
    return best;                                                  \
  }
#else
#define THAW_DECLARE_AND_CHOOSE(Table, Name, Best) \
  extern const Table kBaseline##Name;              \
  const Table& Best() { return kBaseline##Name; }
#endif

}  // namespace thaw
