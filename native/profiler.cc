// Operator events by libtorch's own observers (name, start, duration, thread, sequence, input
// shapes), and calls from JavaScript.
#include "profiler.h"

#include <ATen/record_function.h>
#include <napi.h>

#include <atomic>
#include <cctype>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "convert.h"
#include "errors.h"
#include "modules.h"

namespace thaw {

namespace {

using Clock = std::chrono::steady_clock;

enum class EventKind { kOperator, kBackward, kCall };
constexpr const char* kKindNames[] = {"operator", "backward", "call"};

struct Event {
  std::string name;
  EventKind kind;
  int64_t start;  // nanoseconds since the profiler was started
  int64_t duration;
  uint64_t thread;
  // Of autograd: an operator's and that of the node which differentiates it are the same; -1 where
  // there is none.
  int64_t sequence;
  std::string shapes;
};

// A profile is bounded: what comes after this many events is counted, not kept.
constexpr size_t kMaxEvents = 4'000'000;

std::mutex mutex;
std::vector<Event> events;
size_t dropped = 0;
std::atomic<bool> with_shapes{false};
Clock::time_point origin;
at::CallbackHandle handle = 0;

struct Pending final : public at::ObserverContext {
  int64_t start = 0;
  std::string shapes;
};

void Keep(Event event) {
  std::lock_guard<std::mutex> lock(mutex);
  if (events.size() >= kMaxEvents) {
    ++dropped;
    return;
  }
  events.push_back(std::move(event));
}

std::unique_ptr<at::ObserverContext> OnStart(const at::RecordFunction& function) {
  auto pending = std::make_unique<Pending>();
  if (with_shapes.load(std::memory_order_relaxed)) {
    for (const auto& input : function.inputs()) {
      if (!input.isTensor()) continue;
      pending->shapes += (pending->shapes.empty() ? "" : ", ") + Describe(input.toTensor());
    }
  }
  pending->start = ProfilerNow();
  return pending;
}

void OnEnd(const at::RecordFunction& function, at::ObserverContext* context) {
  const int64_t end = ProfilerNow();
  // libtorch ends what failed to start with no context.
  if (context == nullptr) return;
  auto* pending = static_cast<Pending*>(context);
  const auto kind = function.scope() == at::RecordScope::BACKWARD_FUNCTION ? EventKind::kBackward
                                                                           : EventKind::kOperator;
  Keep({function.name(), kind, pending->start, end - pending->start, function.threadId(),
        function.seqNr(), std::move(pending->shapes)});
}

// startProfiler(withShapes): the calling thread, as events name it.
Napi::Value StartProfiler(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    if (handle != 0) throw std::logic_error("the profiler runs already");
    with_shapes = info[0].IsBoolean() && info[0].As<Napi::Boolean>().Value();
    {
      std::lock_guard<std::mutex> lock(mutex);
      events.clear();
      dropped = 0;
    }
    origin = Clock::now();
    handle = at::addGlobalCallback(
        at::RecordFunctionCallback(OnStart, OnEnd)
            .needsInputs(with_shapes.load())
            .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION,
                     at::RecordScope::USER_SCOPE}));
    profiling = true;
    return Napi::Number::New(info.Env(),
                             static_cast<double>(at::RecordFunction::currentThreadId()));
  });
}

// profilerClock(): nanoseconds since the profiler was last started, by the events' own clock.
Napi::Value ProfilerClock(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(ProfilerNow()));
}

// stopProfiler(): {events: [{name, kind, start, duration, thread, sequence, shapes}], dropped};
// times in ns.
Napi::Value StopProfiler(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    if (handle == 0) throw std::logic_error("the profiler does not run");
    profiling = false;
    at::removeCallback(handle);
    handle = 0;
    std::lock_guard<std::mutex> lock(mutex);
    const Napi::Env env = info.Env();
    auto list = Napi::Array::New(env, events.size());
    uint32_t i = 0;
    for (const Event& event : events) {
      Napi::HandleScope scope(env);
      auto entry = Napi::Object::New(env);
      entry.Set("name", event.name);
      entry.Set("kind", kKindNames[static_cast<int>(event.kind)]);
      entry.Set("start", static_cast<double>(event.start));
      entry.Set("duration", static_cast<double>(event.duration));
      entry.Set("thread", static_cast<double>(event.thread));
      entry.Set("sequence", static_cast<double>(event.sequence));
      entry.Set("shapes", event.shapes);
      list.Set(i++, entry);
    }
    auto result = Napi::Object::New(env);
    result.Set("events", list);
    result.Set("dropped", static_cast<double>(dropped));
    events.clear();
    events.shrink_to_fit();
    return result;
  });
}

}  // namespace

std::atomic<bool> profiling{false};

int64_t ProfilerNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - origin).count();
}

void RecordCall(const char* name, int64_t start) {
  const int64_t end = ProfilerNow();
  // The one that stops the profiler ends after it.
  if (!profiling.load(std::memory_order_relaxed)) return;
  // From a destructor: without memory for the event the process goes on without it.
  try {
    // C++ functions are called as JavaScript's, but for their first letter; operators are small.
    std::string text(name);
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    Keep({std::move(text), EventKind::kCall, start, end - start,
          at::RecordFunction::currentThreadId(), -1, ""});
  } catch (const std::bad_alloc&) {
    std::lock_guard<std::mutex> lock(mutex);
    ++dropped;
  }
}

void InitProfiler(Napi::Env env, Napi::Object exports) {
  exports.Set("startProfiler", Napi::Function::New(env, StartProfiler, "startProfiler"));
  exports.Set("profilerClock", Napi::Function::New(env, ProfilerClock, "profilerClock"));
  exports.Set("stopProfiler", Napi::Function::New(env, StopProfiler, "stopProfiler"));
}

}  // namespace thaw
