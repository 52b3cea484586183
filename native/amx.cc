#include <napi.h>

#include "amx_palette.h"
#include "errors.h"
#include "modules.h"

namespace thaw {

namespace {

Napi::Value PrepareAmx(const Napi::CallbackInfo& info) {
  return Guarded(
      info, [&]() -> Napi::Value { return Napi::String::New(info.Env(), thaw_prepare_amx()); });
}

}  // namespace

void InitAmx(Napi::Env env, Napi::Object exports) {
  exports.Set("prepareAmx", Napi::Function::New(env, PrepareAmx, "prepareAmx"));
}

}  // namespace thaw
