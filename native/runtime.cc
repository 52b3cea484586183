// Version and build information, devices, threads.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <napi.h>

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "compat.h"
#include "errors.h"
#include "modules.h"

namespace thaw {

namespace {

Napi::Value Version(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    auto result = Napi::Object::New(info.Env());
    result.Set("libtorch", TORCH_VERSION);
    result.Set("napi", NAPI_VERSION);
#ifdef _GLIBCXX_USE_CXX11_ABI
    result.Set("cxx11Abi", _GLIBCXX_USE_CXX11_ABI != 0);
#endif
    result.Set("compiler", __VERSION__);
    result.Set("cuda", at::hasCUDA());
    result.Set("cudaDevices", static_cast<double>(at::getNumGPUs()));
    result.Set("mkldnn", at::hasMKLDNN());
    result.Set("mkl", at::hasMKL());
    result.Set("openmp", at::hasOpenMP());
    result.Set("config", at::show_config());
    result.Set("parallel", at::get_parallel_info());
    return result;
  });
}

Napi::Value GetThreads(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), at::get_num_threads());
}

// setThreads(n): how many threads an operator called from this thread uses.
Napi::Value SetThreads(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    at::set_num_threads(info[0].As<Napi::Number>().Int32Value());
    return info.Env().Undefined();
  });
}

// setNiceness(n): of the calling thread alone (Linux keeps it a thread); false where there is none.
Napi::Value SetNiceness(const Napi::CallbackInfo& info) {
  bool done = false;
#ifdef __linux__
  const auto thread = static_cast<id_t>(syscall(SYS_gettid));
  done = setpriority(PRIO_PROCESS, thread, info[0].As<Napi::Number>().Int32Value()) == 0;
#endif
  return Napi::Boolean::New(info.Env(), done);
}

// setDeterministic(flag): operators without a deterministic form throw.
Napi::Value SetDeterministic(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    at::globalContext().setDeterministicAlgorithms(info[0].As<Napi::Boolean>().Value(), false);
    return info.Env().Undefined();
  });
}

}  // namespace

void InitRuntime(Napi::Env env, Napi::Object exports) {
  exports.Set("version", Napi::Function::New(env, Version, "version"));
  exports.Set("getThreads", Napi::Function::New(env, GetThreads, "getThreads"));
  exports.Set("setThreads", Napi::Function::New(env, SetThreads, "setThreads"));
  exports.Set("setNiceness", Napi::Function::New(env, SetNiceness, "setNiceness"));
  exports.Set("setDeterministic", Napi::Function::New(env, SetDeterministic, "setDeterministic"));
}

}  // namespace thaw
