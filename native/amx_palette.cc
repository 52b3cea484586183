// AMX where a hypervisor hides half of it.
//
// Some hypervisors (Firecracker among them) pass AMX through, and its flags with it, but not CPUID
// leaf 0x1D, from which oneDNN reads the tile palette whenever it makes a kernel: it then
// configures palette 0, and its first tile instruction is illegal and ends the process. The leaf's
// content for palette 1 is architecture (Intel SDM vol. 1, §18.2; vol. 2, CPUID), so it can be
// answered in the hypervisor's place: Linux can make CPUID fault on a thread and those it starts,
// and a handler answers. CPUID is rare; nothing else is touched, and a program started from this
// one has CPUID as it was.
#include "amx_palette.h"

#if defined(__linux__) && defined(__x86_64__)
#include <cpuid.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#endif

namespace thaw {

namespace {

#if defined(__linux__) && defined(__x86_64__)

constexpr int kArchSetCpuid = 0x1012;
constexpr int kArchReqXcompPerm = 0x1023;
constexpr int kXfeatureXtileData = 18;
constexpr unsigned kPaletteLeaf = 0x1D;
constexpr unsigned kTmulLeaf = 0x1E;

struct Registers {
  unsigned a, b, c, d;
};

Registers Cpuid(unsigned leaf, unsigned subleaf) {
  Registers r{};
  __cpuid_count(leaf, subleaf, r.a, r.b, r.c, r.d);
  return r;
}

bool HasAmxBf16() {
  const unsigned d = Cpuid(7, 0).d;
  return ((d >> 22) & 1) != 0 && ((d >> 24) & 1) != 0;
}

bool ReportsPalette() { return Cpuid(0, 0).a >= kPaletteLeaf && Cpuid(kPaletteLeaf, 0).a >= 1; }

// Palette 1: 8 KiB of tiles, 1 KiB each, rows of 64 bytes, 8 tiles, 16 rows.
Registers Answer(unsigned leaf, unsigned subleaf) {
  if (leaf == kPaletteLeaf && subleaf == 0) return {1, 0, 0, 0};
  if (leaf == kPaletteLeaf && subleaf == 1) return {8192 | 1024u << 16, 64 | 8u << 16, 16, 0};
  if (leaf == kTmulLeaf && subleaf == 0) return {0, 16 | 64u << 8, 0, 0};
  Registers r = Cpuid(leaf, subleaf);
  if (leaf == 0 && r.a < kTmulLeaf) r.a = kTmulLeaf;
  return r;
}

bool SetCpuidEnabled(bool enabled) {
  return syscall(SYS_arch_prctl, kArchSetCpuid, enabled ? 1 : 0) == 0;
}

struct sigaction previous;

void OnFault(int signal, siginfo_t* info, void* context) {
  auto* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  const auto* code = reinterpret_cast<const unsigned char*>(registers[REG_RIP]);
  const bool is_cpuid = info->si_code == SI_KERNEL && code[0] == 0x0F && code[1] == 0xA2;
  if (!is_cpuid) {
    // Somebody else's fault, perhaps on another thread: the handler that was there has it.
    if ((previous.sa_flags & SA_SIGINFO) != 0) {
      previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
      sigaction(SIGSEGV, &previous, nullptr);
    } else {
      previous.sa_handler(signal);
    }
    return;
  }
  SetCpuidEnabled(true);
  const Registers r =
      Answer(static_cast<unsigned>(registers[REG_RAX]), static_cast<unsigned>(registers[REG_RCX]));
  SetCpuidEnabled(false);
  registers[REG_RAX] = r.a;
  registers[REG_RBX] = r.b;
  registers[REG_RCX] = r.c;
  registers[REG_RDX] = r.d;
  registers[REG_RIP] += 2;
}

const char* Prepare() {
  if (!HasAmxBf16() || syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureXtileData) != 0) {
    return "absent";
  }
  if (ReportsPalette()) return "reported";
  struct sigaction action {};
  action.sa_sigaction = OnFault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &previous);
  if (SetCpuidEnabled(false)) return "supplied";
  sigaction(SIGSEGV, &previous, nullptr);
  return "unusable";
}

#else

const char* Prepare() { return "absent"; }

#endif

}  // namespace

}  // namespace thaw

// Without Node-API in this file: programs that are not Node can be given the same by a library of
// this file alone, as the benchmarks' peers are.
extern "C" const char* thaw_prepare_amx() { return thaw::Prepare(); }
