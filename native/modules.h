// Each source file adds its functions to the addon's exports.
#pragma once

#include <napi.h>

namespace thaw {

void InitAmx(Napi::Env env, Napi::Object exports);
void InitCall(Napi::Env env, Napi::Object exports);
void InitTensorData(Napi::Env env, Napi::Object exports);
void InitAutograd(Napi::Env env, Napi::Object exports);
void InitAllocator(Napi::Env env, Napi::Object exports);
void InitRandom(Napi::Env env, Napi::Object exports);
void InitRuntime(Napi::Env env, Napi::Object exports);
void InitProfiler(Napi::Env env, Napi::Object exports);
void InitJpeg(Napi::Env env, Napi::Object exports);
void InitResample(Napi::Env env, Napi::Object exports);

}  // namespace thaw
