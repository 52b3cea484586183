// A caching allocator for CPU tensors.
//
// A training step frees and takes the same sizes again and again; handing the pages back in between
// costs up to a third of the step in page faults. Freed blocks wait in a list of their size class.
// Size classes are eighths of a power of two, so that a block is at most 12.5 % larger than asked.
#include <c10/core/CPUAllocator.h>
#include <napi.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "compat.h"
#include "errors.h"
#include "modules.h"

namespace thaw {

namespace {

constexpr size_t kAlignment = 64;  // A cache line, and the width of an AVX-512 register.
constexpr size_t kHugePage = size_t{2} << 20;
// Cached blocks are given back when all blocks together pass the peak in use by more than this.
constexpr size_t kSlack = size_t{64} << 20;

struct Header {
  size_t size;       // usable bytes behind the header
  size_t requested;  // of them, what the tensor in it asked for
  Header* next;
};
static_assert(sizeof(Header) <= kAlignment, "the header must fit before the data");

size_t SizeClass(size_t bytes) {
  if (bytes <= 512) return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const int top = 63 - __builtin_clzll(bytes - 1);  // 2^top < bytes <= 2^(top + 1)
  const size_t step = std::max(kAlignment, size_t{1} << (top - 3));
  return (bytes + step - 1) / step * step;
}

// `bytes` is a multiple of `alignment`.
void* AlignedAlloc(size_t alignment, size_t bytes) {
#ifdef _WIN32
  return _aligned_malloc(bytes, alignment);
#else
  return std::aligned_alloc(alignment, bytes);
#endif
}

void AlignedFree(void* memory) {
#ifdef _WIN32
  _aligned_free(memory);
#else
  std::free(memory);
#endif
}

struct Statistics {
  size_t current = 0;
  size_t peak = 0;
  size_t reserved = 0;
  size_t peak_reserved = 0;
  size_t fresh = 0;  // blocks that no list had
  size_t requested = 0;
  size_t peak_requested = 0;
};

class CachingAllocator final : public c10::Allocator {
 public:
#if THAW_TORCH_AT_LEAST(2, 3)
  c10::DataPtr allocate(size_t bytes) override { return Allocate(bytes); }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }
#else
  c10::DataPtr allocate(size_t bytes) const override {
    return const_cast<CachingAllocator*>(this)->Allocate(bytes);
  }
#endif
  c10::DeleterFnPtr raw_deleter() const override { return &Free; }

  Statistics statistics() {
    std::lock_guard<std::mutex> lock(mutex_);
    return statistics_;
  }

  void ResetPeak() {
    std::lock_guard<std::mutex> lock(mutex_);
    statistics_.peak = statistics_.current;
    statistics_.peak_reserved = statistics_.reserved;
    statistics_.peak_requested = statistics_.requested;
  }

  // Returns the limit before.
  size_t SetLimit(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(limit_, bytes);
  }

  void EmptyCache() {
    std::lock_guard<std::mutex> lock(mutex_);
    GiveBack(statistics_.current);
  }

 private:
  c10::DataPtr Allocate(size_t bytes) {
    const c10::Device device(c10::DeviceType::CPU);
    if (bytes == 0) return {nullptr, nullptr, &Free, device};
    const size_t size = SizeClass(bytes);
    Header* block = nullptr;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      block = Take(size);
      if (block == nullptr) {
        const size_t allowed = std::max(statistics_.peak, statistics_.current + size) + kSlack;
        if (statistics_.reserved + size > allowed) GiveBack(allowed > size ? allowed - size : 0);
        block = Allowed(size) ? Fresh(size) : nullptr;
        if (block == nullptr) {
          GiveBack(statistics_.current);
          if (Allowed(size)) block = Fresh(size);
        }
        if (block == nullptr) {
          throw std::runtime_error("out of memory: " + std::to_string(size) +
                                   " bytes for a tensor, with " +
                                   std::to_string(statistics_.current) + " in use");
        }
        statistics_.reserved += size;
        statistics_.peak_reserved = std::max(statistics_.peak_reserved, statistics_.reserved);
        ++statistics_.fresh;
      }
      statistics_.current += block->size;
      statistics_.peak = std::max(statistics_.peak, statistics_.current);
      block->requested = bytes;
      statistics_.requested += bytes;
      statistics_.peak_requested = std::max(statistics_.peak_requested, statistics_.requested);
    }
    void* data = reinterpret_cast<char*>(block) + kAlignment;
    return {data, data, &Free, device};
  }

  static void Free(void* data);

  Header* Take(size_t size) {
    // The same class, or one a little larger: a step's tensors differ by what their shapes differ.
    const auto last = lists_.upper_bound(size + size / 8);
    for (auto list = lists_.lower_bound(size); list != last; ++list) {
      if (list->second == nullptr) continue;
      Header* block = list->second;
      list->second = block->next;
      return block;
    }
    return nullptr;
  }

  bool Allowed(size_t size) const {
    return statistics_.reserved <= limit_ && size <= limit_ - statistics_.reserved;
  }

  // Null where the system has no memory.
  Header* Fresh(size_t size) {
    const size_t bytes = size + kAlignment;
    void* memory = nullptr;
    if (bytes >= kHugePage) {
      memory = AlignedAlloc(kHugePage, (bytes + kHugePage - 1) / kHugePage * kHugePage);
#ifdef MADV_HUGEPAGE
      if (memory != nullptr) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    } else {
      memory = AlignedAlloc(kAlignment, bytes);
    }
    if (memory == nullptr) return nullptr;
    auto* block = static_cast<Header*>(memory);
    block->size = size;
    block->next = nullptr;
    return block;
  }

  // Gives cached blocks back, the largest first, until no more than `target` bytes are held.
  void GiveBack(size_t target) {
    for (auto list = lists_.rbegin(); list != lists_.rend(); ++list) {
      while (list->second != nullptr) {
        if (statistics_.reserved <= target) return;
        Header* block = list->second;
        list->second = block->next;
        statistics_.reserved -= block->size;
        AlignedFree(block);
      }
    }
  }

  void Return(Header* block) {
    std::lock_guard<std::mutex> lock(mutex_);
    statistics_.current -= block->size;
    statistics_.requested -= block->requested;
    Header*& list = lists_[block->size];
    block->next = list;
    list = block;
  }

  std::mutex mutex_;
  std::map<size_t, Header*> lists_;
  Statistics statistics_;
  size_t limit_ = std::numeric_limits<size_t>::max();
};

// Never destroyed: tensors in libtorch's statics outlive everything.
CachingAllocator& Instance() {
  static auto* allocator = new CachingAllocator();
  return *allocator;
}

void CachingAllocator::Free(void* data) {
  if (data == nullptr) return;
  Instance().Return(reinterpret_cast<Header*>(static_cast<char*>(data) - kAlignment));
}

// {currentBytes, peakBytes, reservedBytes, peakReservedBytes, freshBlocks, tensorBytes,
// peakTensorBytes}
Napi::Value AllocatorStatistics(const Napi::CallbackInfo& info) {
  const Statistics statistics = Instance().statistics();
  auto result = Napi::Object::New(info.Env());
  result.Set("currentBytes", static_cast<double>(statistics.current));
  result.Set("peakBytes", static_cast<double>(statistics.peak));
  result.Set("reservedBytes", static_cast<double>(statistics.reserved));
  result.Set("peakReservedBytes", static_cast<double>(statistics.peak_reserved));
  result.Set("freshBlocks", static_cast<double>(statistics.fresh));
  result.Set("tensorBytes", static_cast<double>(statistics.requested));
  result.Set("peakTensorBytes", static_cast<double>(statistics.peak_requested));
  return result;
}

Napi::Value ResetPeak(const Napi::CallbackInfo& info) {
  Instance().ResetPeak();
  return info.Env().Undefined();
}

// Bytes that may be reserved; infinity is no limit. Returns the limit before.
Napi::Value SetMemoryLimit(const Napi::CallbackInfo& info) {
  constexpr size_t kNone = std::numeric_limits<size_t>::max();
  const double bytes = info[0].As<Napi::Number>().DoubleValue();
  const bool limits = bytes < static_cast<double>(kNone);
  const size_t before = Instance().SetLimit(limits ? static_cast<size_t>(bytes) : kNone);
  return Napi::Number::New(info.Env(), before == kNone ? std::numeric_limits<double>::infinity()
                                                       : static_cast<double>(before));
}

Napi::Value EmptyCache(const Napi::CallbackInfo& info) {
  Instance().EmptyCache();
  return info.Env().Undefined();
}

}  // namespace

void InitAllocator(Napi::Env env, Napi::Object exports) {
  // Twice is harmless: a worker's isolate initialises the addon again.
  c10::SetCPUAllocator(&Instance(), /*priority=*/1);
  exports.Set("allocatorStatistics",
              Napi::Function::New(env, AllocatorStatistics, "allocatorStatistics"));
  exports.Set("resetPeak", Napi::Function::New(env, ResetPeak, "resetPeak"));
  exports.Set("setMemoryLimit", Napi::Function::New(env, SetMemoryLimit, "setMemoryLimit"));
  exports.Set("emptyCache", Napi::Function::New(env, EmptyCache, "emptyCache"));
}

}  // namespace thaw
