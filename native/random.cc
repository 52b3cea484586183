// Generators, and the default generator that operators without a generator argument use.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <napi.h>

#include <mutex>

#include "convert.h"
#include "errors.h"
#include "modules.h"

namespace thaw {

namespace {

at::Generator GeneratorFromJs(const Napi::CallbackInfo& info, size_t i) {
  at::Generator generator;
  if (info[i].IsNull()) return at::detail::getDefaultCPUGenerator();
  if (!Generators().Get(info[i].As<Napi::Number>().DoubleValue(), &generator)) {
    throw std::invalid_argument("the generator was disposed");
  }
  return generator;
}

// newGenerator(seed, device): seeded as torch.Generator(device).manual_seed(seed).
Napi::Value NewGenerator(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const auto seed = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
    const c10::Device device(info[1].As<Napi::String>().Utf8Value());
    at::Generator generator;
    if (device.is_cpu()) {
      generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    } else {
      generator = at::globalContext().defaultGenerator(device).clone();
      generator.set_current_seed(seed);
    }
    return Napi::Number::New(info.Env(), Generators().Add(std::move(generator)));
  });
}

Napi::Value ReleaseGenerator(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(),
                            Generators().Release(info[0].As<Napi::Number>().DoubleValue()));
}

// generatorState(generator | null): a uint8 tensor; null is the CPU's default generator.
Napi::Value GeneratorState(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    at::Generator generator = GeneratorFromJs(info, 0);
    std::lock_guard<std::mutex> lock(generator.mutex());
    return Napi::Value(info.Env(), TensorToJs(info.Env(), generator.get_state()));
  });
}

Napi::Value SetGeneratorState(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    at::Generator generator = GeneratorFromJs(info, 0);
    const at::Tensor state = TensorFromJs(info.Env(), info[1], "state");
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(state);
    return info.Env().Undefined();
  });
}

// manualSeed(seed): every device's default generator, as torch.manual_seed.
Napi::Value ManualSeed(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    at::manual_seed(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
    return info.Env().Undefined();
  });
}

}  // namespace

void InitRandom(Napi::Env env, Napi::Object exports) {
  exports.Set("newGenerator", Napi::Function::New(env, NewGenerator, "newGenerator"));
  exports.Set("releaseGenerator", Napi::Function::New(env, ReleaseGenerator, "releaseGenerator"));
  exports.Set("generatorState", Napi::Function::New(env, GeneratorState, "generatorState"));
  exports.Set("setGeneratorState",
              Napi::Function::New(env, SetGeneratorState, "setGeneratorState"));
  exports.Set("manualSeed", Napi::Function::New(env, ManualSeed, "manualSeed"));
}

}  // namespace thaw
