#include <napi.h>

#include "handles.h"
#include "modules.h"

namespace thaw {

// Never destroyed: at exit, libtorch's own statics may be gone before these would be.
HandleTable<at::Tensor>& Tensors() {
  static auto* table = new HandleTable<at::Tensor>();
  return *table;
}

HandleTable<at::Generator>& Generators() {
  static auto* table = new HandleTable<at::Generator>();
  return *table;
}

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  InitAllocator(env, exports);  // First: tensors made before it would come from another allocator.
  InitAmx(env, exports);
  InitCall(env, exports);
  InitTensorData(env, exports);
  InitAutograd(env, exports);
  InitRandom(env, exports);
  InitRuntime(env, exports);
  InitProfiler(env, exports);
  InitJpeg(env, exports);
  InitResample(env, exports);
  return exports;
}

}  // namespace thaw

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) {
  return thaw::Init(env, exports);
}

NODE_API_MODULE(thaw, InitAddon)
