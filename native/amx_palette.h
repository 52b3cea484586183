// Makes AMX usable for oneDNN in this process; see amx_palette.cc.
#pragma once

// "reported" (usable as it is), "supplied" (usable now), "unusable" (oneDNN must be kept from it)
// or "absent". Once, on the main thread, before it has started others that compute.
extern "C" const char* thaw_prepare_amx();
