// A typed array's memory, for functions that read or write bytes.
#pragma once

#include <napi.h>

#include <cstdint>
#include <stdexcept>

namespace thaw {

struct Bytes {
  uint8_t* data;
  size_t size;
};

// Valid until control goes back to JavaScript.
inline Bytes BytesOf(const Napi::Value& value) {
  if (!value.IsTypedArray()) throw std::invalid_argument("a typed array is wanted");
  const auto array = value.As<Napi::TypedArray>();
  Napi::ArrayBuffer buffer = array.ArrayBuffer();
  if (!buffer.IsArrayBuffer()) {
    throw std::invalid_argument("the array lies in a SharedArrayBuffer, copy it first");
  }
  return {static_cast<uint8_t*>(buffer.Data()) + array.ByteOffset(), array.ByteLength()};
}

}  // namespace thaw
