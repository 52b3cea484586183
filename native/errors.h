// libtorch throws C++ exceptions; JavaScript gets their message without the C++ stack.
#pragma once

#include <c10/util/Exception.h>
#include <napi.h>

#include <string>

#include "profiler.h"

namespace thaw {

inline std::string MessageOf(const std::exception& error) {
  if (const auto* torch = dynamic_cast<const c10::Error*>(&error)) {
    std::string message = torch->what_without_backtrace();
    // Operators that are missing for a backend append the whole registration table.
    const size_t table = message.find("\n\nCPU: registered at");
    if (table != std::string::npos) message.resize(table);
    while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) {
      message.pop_back();
    }
    return message;
  }
  return error.what();
}

// Runs `body`, what the function `name` is called for; anything it throws becomes a JavaScript
// exception.
template <typename Body>
Napi::Value Guarded(const Napi::CallbackInfo& info, Body body,
                    const char* name = __builtin_FUNCTION()) {
  const ProfiledCall call(name);
  try {
    return body();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Napi::Error::New(info.Env(), MessageOf(error));
  }
}

}  // namespace thaw
