// Numbers that stand for libtorch objects on the JavaScript side.
//
// A handle is an index and a generation in one double: creating one costs no JavaScript object with
// a finalizer, it can be sent to another thread's isolate as a number, and a stale one is
// recognised instead of reaching freed memory. The tables belong to the process, so all isolates
// share them.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace thaw {

template <typename T>
class HandleTable {
 public:
  double Add(T value) {
    std::lock_guard<std::mutex> lock(mutex_);
    uint32_t index;
    if (free_.empty()) {
      if (slots_.size() == kMaxSlots) throw std::length_error("too many live tensors");
      index = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Slot& slot = slots_[index];
    slot.value = std::move(value);
    slot.live = true;
    ++live_;
    return Encode(index, slot.generation);
  }

  // Copies the value out (one reference more), so that another thread's release cannot pull it
  // away.
  bool Get(double handle, T* out) {
    std::lock_guard<std::mutex> lock(mutex_);
    Slot* slot = Find(handle);
    if (slot == nullptr) return false;
    *out = slot->value;
    return true;
  }

  bool Release(double handle) {
    T last;  // Destroyed after the lock is let go: a destructor may run arbitrary code.
    {
      std::lock_guard<std::mutex> lock(mutex_);
      Slot* slot = Find(handle);
      if (slot == nullptr) return false;
      last = std::move(slot->value);
      slot->value = T();
      slot->live = false;
      slot->generation = (slot->generation + 1) & kGenerationMask;
      free_.push_back(static_cast<uint32_t>(slot - slots_.data()));
      --live_;
    }
    return true;
  }

  bool IsLive(double handle) {
    std::lock_guard<std::mutex> lock(mutex_);
    return Find(handle) != nullptr;
  }

  size_t live() {
    std::lock_guard<std::mutex> lock(mutex_);
    return live_;
  }

 private:
  // 26 bits of index and 27 of generation: together below 2^53, where doubles are exact.
  static constexpr int kIndexBits = 26;
  static constexpr uint32_t kMaxSlots = 1u << kIndexBits;
  static constexpr uint32_t kGenerationMask = (1u << 27) - 1;

  struct Slot {
    T value;
    uint32_t generation = 1;
    bool live = false;
  };

  static double Encode(uint32_t index, uint32_t generation) {
    return static_cast<double>((static_cast<uint64_t>(generation) << kIndexBits) | index);
  }

  Slot* Find(double handle) {
    if (!(handle >= 0 && handle < 9007199254740992.0)) return nullptr;
    const auto bits = static_cast<uint64_t>(handle);
    const auto index = static_cast<uint32_t>(bits & (kMaxSlots - 1));
    if (index >= slots_.size()) return nullptr;
    Slot& slot = slots_[index];
    return slot.live && slot.generation == static_cast<uint32_t>(bits >> kIndexBits) ? &slot
                                                                                     : nullptr;
  }

  std::mutex mutex_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t live_ = 0;
};

HandleTable<at::Tensor>& Tensors();
HandleTable<at::Generator>& Generators();

}  // namespace thaw
