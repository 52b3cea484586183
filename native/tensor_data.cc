// Tensors' metadata, and their bytes in and out of typed arrays.
#include <ATen/ATen.h>
#include <napi.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "bytes.h"
#include "convert.h"
#include "errors.h"
#include "modules.h"

namespace thaw {

namespace {

at::Tensor Argument(const Napi::CallbackInfo& info, size_t i, const char* what = "tensor") {
  return TensorFromJs(info.Env(), info[i], what);
}

Napi::Array IntsToJs(Napi::Env env, at::IntArrayRef values) {
  auto result = Napi::Array::New(env, values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    result.Set(static_cast<uint32_t>(i), static_cast<double>(values[i]));
  }
  return result;
}

std::vector<int64_t> IntsFromJs(const Napi::Value& value) {
  const auto array = value.As<Napi::Array>();
  std::vector<int64_t> result(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const double size = array.Get(i).As<Napi::Number>().DoubleValue();
    if (!(std::trunc(size) == size && std::abs(size) <= 9007199254740992.0)) {
      throw std::invalid_argument("a shape with a size that is no whole number");
    }
    result[i] = static_cast<int64_t>(size);
  }
  return result;
}

// References that keep borrowed ArrayBuffers alive may be let go on any thread, Node-API's only on
// their own: they wait here until their isolate makes its next call into this file.
struct Lender {
  std::mutex mutex;
  std::vector<napi_ref> returned;
  bool open = true;

  void Drain(napi_env env) {
    std::vector<napi_ref> refs;
    {
      std::lock_guard<std::mutex> lock(mutex);
      refs.swap(returned);
    }
    for (napi_ref ref : refs) napi_delete_reference(env, ref);
  }
};

std::shared_ptr<Lender>& LenderOf(Napi::Env env) {
  return *env.GetInstanceData<std::shared_ptr<Lender>>();
}

void CheckBytes(const Bytes& source, const std::vector<int64_t>& shape, at::ScalarType dtype) {
  int64_t elements = 1;
  for (const int64_t size : shape) {
    if (size < 0 || (size > 0 && elements > (int64_t{1} << 53) / size)) {
      throw std::invalid_argument("a shape with a negative or impossible size");
    }
    elements *= size;
  }
  const size_t wanted = static_cast<size_t>(elements) * c10::elementSize(dtype);
  if (source.size != wanted) {
    throw std::invalid_argument("the array has " + std::to_string(source.size) +
                                " bytes, the shape and dtype want " + std::to_string(wanted));
  }
}

// fromTypedArray(array, dtype, shape): a tensor with a copy of the bytes.
Napi::Value FromTypedArray(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const Bytes source = BytesOf(info[0]);
    const at::ScalarType dtype = ParseDType(info[1].As<Napi::String>());
    const auto shape = IntsFromJs(info[2]);
    CheckBytes(source, shape, dtype);
    at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(dtype));
    if (source.size > 0) std::memcpy(tensor.data_ptr(), source.data, source.size);
    return Napi::Value(info.Env(), TensorToJs(info.Env(), std::move(tensor)));
  });
}

// borrowTypedArray(array, dtype, shape): a tensor over the array's own memory, which it keeps
// alive. The caller must not transfer or resize the buffer.
Napi::Value BorrowTypedArray(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    auto lender = LenderOf(env);
    lender->Drain(env);
    const Bytes source = BytesOf(info[0]);
    const at::ScalarType dtype = ParseDType(info[1].As<Napi::String>());
    const auto shape = IntsFromJs(info[2]);
    CheckBytes(source, shape, dtype);
    if (reinterpret_cast<uintptr_t>(source.data) % c10::elementSize(dtype) != 0) {
      throw std::invalid_argument("the array is not aligned to its elements");
    }
    napi_ref ref = nullptr;
    napi_create_reference(env, info[0], 1, &ref);
    at::Tensor tensor = at::from_blob(
        source.data, shape,
        [lender, ref](void*) {
          std::lock_guard<std::mutex> lock(lender->mutex);
          if (lender->open) lender->returned.push_back(ref);
        },
        at::TensorOptions().dtype(dtype));
    return Napi::Value(env, TensorToJs(env, std::move(tensor)));
  });
}

at::Tensor HostBytes(const at::Tensor& tensor) { return tensor.detach().to(at::kCPU).contiguous(); }

// toArrayBuffer(tensor): a copy of the elements in row-major order.
Napi::Value ToArrayBuffer(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const at::Tensor host = HostBytes(Argument(info, 0));
    auto buffer = Napi::ArrayBuffer::New(info.Env(), host.nbytes());
    if (host.nbytes() > 0) std::memcpy(buffer.Data(), host.data_ptr(), host.nbytes());
    return buffer;
  });
}

// sameDenseLayouts(lists): of tensors at the same place of each list, do they fill one stretch of
// memory each, with their elements in the same order?
Napi::Value SameDenseLayouts(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const auto lists = info[0].As<Napi::Array>();
    const auto at = [&](uint32_t list, uint32_t i) {
      return TensorFromJs(info.Env(), lists.Get(list).As<Napi::Array>().Get(i), "tensor");
    };
    const uint32_t count = lists.Get(0u).As<Napi::Array>().Length();
    auto result = Napi::Array::New(info.Env(), count);
    for (uint32_t i = 0; i < count; ++i) {
      const at::Tensor first = at(0, i);
      bool same = first.is_contiguous() || first.is_contiguous(at::MemoryFormat::ChannelsLast);
      for (uint32_t list = 1; same && list < lists.Length(); ++list) {
        const at::Tensor other = at(list, i);
        same = other.sizes() == first.sizes();
        // The stride of a dimension of size 1 is never used, and libtorch leaves anything there.
        for (int64_t d = 0; same && d < first.dim(); ++d) {
          same = first.size(d) == 1 || first.stride(d) == other.stride(d);
        }
      }
      result.Set(i, same);
    }
    return result;
  });
}

// release(tensor): lets one handle go; false if it was let go before.
Napi::Value Release(const Napi::CallbackInfo& info) {
  const ProfiledCall call("release");
  const bool released = Tensors().Release(info[0].As<Napi::Number>().DoubleValue());
  auto lender = LenderOf(info.Env());
  lender->Drain(info.Env());
  return Napi::Boolean::New(info.Env(), released);
}

Napi::Value IsLive(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), Tensors().IsLive(info[0].As<Napi::Number>().DoubleValue()));
}

Napi::Value LiveTensors(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Tensors().live()));
}

// item(tensor): the one element as a number.
Napi::Value Item(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const at::Tensor tensor = Argument(info, 0);
    if (tensor.numel() != 1) {
      throw std::invalid_argument("item() wants one element, the tensor is " + Describe(tensor));
    }
    return Napi::Number::New(info.Env(), tensor.item().toDouble());
  });
}

Napi::Value Shape(const Napi::CallbackInfo& info) {
  return Guarded(info,
                 [&]() -> Napi::Value { return IntsToJs(info.Env(), Argument(info, 0).sizes()); });
}

Napi::Value Strides(const Napi::CallbackInfo& info) {
  return Guarded(
      info, [&]() -> Napi::Value { return IntsToJs(info.Env(), Argument(info, 0).strides()); });
}

Napi::Value DType(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), DTypeName(Argument(info, 0).scalar_type()));
  });
}

Napi::Value Device(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), Argument(info, 0).device().str());
  });
}

// isContiguous(tensor, memoryFormat)
Napi::Value IsContiguous(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const auto format = ParseMemoryFormat(info[1].As<Napi::String>());
    return Napi::Boolean::New(info.Env(), Argument(info, 0).is_contiguous(format));
  });
}

}  // namespace

void InitTensorData(Napi::Env env, Napi::Object exports) {
  auto* lender = new std::shared_ptr<Lender>(std::make_shared<Lender>());
  env.SetInstanceData(lender);
  env.AddCleanupHook([held = *lender] {
    std::lock_guard<std::mutex> lock(held->mutex);
    held->open = false;
  });
  exports.Set("fromTypedArray", Napi::Function::New(env, FromTypedArray, "fromTypedArray"));
  exports.Set("borrowTypedArray", Napi::Function::New(env, BorrowTypedArray, "borrowTypedArray"));
  exports.Set("toArrayBuffer", Napi::Function::New(env, ToArrayBuffer, "toArrayBuffer"));
  exports.Set("release", Napi::Function::New(env, Release, "release"));
  exports.Set("isLive", Napi::Function::New(env, IsLive, "isLive"));
  exports.Set("liveTensors", Napi::Function::New(env, LiveTensors, "liveTensors"));
  exports.Set("item", Napi::Function::New(env, Item, "item"));
  exports.Set("shape", Napi::Function::New(env, Shape, "shape"));
  exports.Set("strides", Napi::Function::New(env, Strides, "strides"));
  exports.Set("dtype", Napi::Function::New(env, DType, "dtype"));
  exports.Set("device", Napi::Function::New(env, Device, "device"));
  exports.Set("sameDenseLayouts", Napi::Function::New(env, SameDenseLayouts, "sameDenseLayouts"));
  exports.Set("isContiguous", Napi::Function::New(env, IsContiguous, "isContiguous"));
}

}  // namespace thaw
