// A call from JavaScript is an event of the profiler beside libtorch's operators: what of it is in
// no operator is arguments, handles, dispatch, autograd's engine.
#pragma once

#include <atomic>
#include <cstdint>

namespace thaw {

extern std::atomic<bool> profiling;

// Nanoseconds since the profiler was started.
int64_t ProfilerNow();
void RecordCall(const char* name, int64_t start);

// Of a function that JavaScript calls, first to last line. While no profiler runs it is one load.
class ProfiledCall {
 public:
  explicit ProfiledCall(const char* name)
      : name_(profiling.load(std::memory_order_relaxed) ? name : nullptr) {
    if (name_ != nullptr) start_ = ProfilerNow();
  }
  ~ProfiledCall() {
    if (name_ != nullptr) RecordCall(name_, start_);
  }
  ProfiledCall(const ProfiledCall&) = delete;
  ProfiledCall& operator=(const ProfiledCall&) = delete;

 private:
  const char* name_;
  int64_t start_ = 0;
};

}  // namespace thaw
