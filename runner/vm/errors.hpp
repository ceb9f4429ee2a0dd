// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What can go wrong with a VM, under the names that Avocado-VT's tests catch.
///
/// The names break the house rule on capitals on purpose: the Python modules expose them as they stand.
#pragma once

#include "runner/support/error.hpp"

#include <string>

namespace vt {

// NOLINTBEGIN(readability-identifier-naming,bugprone-macro-parentheses)

/// The root of all of them.
class VMError : public Error {
  public:
    using Error::Error;
};

#define VT_VM_ERROR(name, base) \
    class name : public base {  \
      public:                   \
        using base::base;       \
    }

/// QEMU could not be started, or ended at start; what() carries the end of its standard error.
VT_VM_ERROR(VMCreateError, VMError);
VT_VM_ERROR(VMStartError, VMError);
/// A parameter that the VM needs is missing or makes no sense.
VT_VM_ERROR(VMConfigMissingError, VMError);
VT_VM_ERROR(VMImageMissingError, VMError);
VT_VM_ERROR(VMImageCheckError, VMError);
VT_VM_ERROR(VMKVMInitError, VMCreateError);
/// QEMU is not there any more; what() says how it ended.
VT_VM_ERROR(VMDeadError, VMError);
VT_VM_ERROR(VMUnexpectedExitError, VMDeadError);
/// The guest's kernel panicked; what() quotes it.
VT_VM_ERROR(VMDeadKernelCrashError, VMError);
VT_VM_ERROR(VMInvalidInstructionCode, VMError);
VT_VM_ERROR(VMAddressError, VMError);
VT_VM_ERROR(VMInterfaceIndexError, VMError);
VT_VM_ERROR(VMPortNotRedirectedError, VMAddressError);
VT_VM_ERROR(VMMACAddressMissingError, VMAddressError);
VT_VM_ERROR(VMIPAddressMissingError, VMAddressError);
VT_VM_ERROR(VMUnknownNetTypeError, VMError);
VT_VM_ERROR(VMStatusError, VMError);
VT_VM_ERROR(VMRebootError, VMError);
VT_VM_ERROR(VMRemoveError, VMError);
VT_VM_ERROR(VMMigrateError, VMError);
VT_VM_ERROR(VMDeviceError, VMError);
VT_VM_ERROR(VMDeviceNotSupportedError, VMDeviceError);
VT_VM_ERROR(VMScreenInactiveError, VMError);
VT_VM_ERROR(VMLoginError, VMError);
VT_VM_ERROR(VMSMPTopologyInvalidError, VMError);

#undef VT_VM_ERROR
// NOLINTEND(readability-identifier-naming,bugprone-macro-parentheses)

}  // namespace vt
