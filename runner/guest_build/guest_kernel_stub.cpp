// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_kernel_stub.hpp"

#include "runner/guest_build/guest_image.hpp"

#if defined(__x86_64__)

// clang-format off
asm(R"(
    .pushsection .rodata, "a"
    .balign 16
    .globl vt_boot_stub_begin, vt_boot_stub_parameters, vt_boot_stub_end
    .hidden vt_boot_stub_begin, vt_boot_stub_parameters, vt_boot_stub_end
vt_boot_stub_begin:
.code32
    cli
    cld
    # Where are we? The scratch word of the boot parameters serves as the stack of one call.
    leal 0x1e8(%esi), %esp
    call 1f
1:  popl %ebx
    subl $(1b - vt_boot_stub_begin), %ebx
    # The real stack: EDI (scratch) and ESI (boot parameters) wait there while LZ4 is unpacked.
    movl (.Lvt_p_scratch - vt_boot_stub_begin)(%ebx), %edi
    addl %ebx, %edi
    leal 0x8000(%edi), %esp
    pushl %edi
    pushl %esi
    movl (.Lvt_p_payload - vt_boot_stub_begin)(%ebx), %esi
    addl %ebx, %esi
    movl (.Lvt_p_target - vt_boot_stub_begin)(%ebx), %edi
    # A block: its length (0 ends, top bit: stored), then its bytes up to EBP.
.Lvt_block:
    lodsl
    testl %eax, %eax
    jz .Lvt_done
    movl %eax, %ecx
    btrl $31, %ecx
    jc .Lvt_stored
    leal (%esi,%ecx), %ebp
    # A sequence: token, literals, distance, match.
.Lvt_sequence:
    movzbl (%esi), %eax
    incl %esi
    movl %eax, %ecx
    shrl $4, %ecx
    cmpl $15, %ecx
    jne 2f
1:  movzbl (%esi), %edx
    incl %esi
    addl %edx, %ecx
    cmpl $255, %edx
    je 1b
2:  movl %ecx, %edx
    shrl $2, %ecx
    rep movsl
    movl %edx, %ecx
    andl $3, %ecx
    rep movsb
    cmpl %ebp, %esi
    jae .Lvt_block
    # The match: EDX is the distance. From 4 on, whole words can be copied even where it overlaps itself.
    movzwl (%esi), %edx
    addl $2, %esi
    movl %eax, %ecx
    andl $15, %ecx
    cmpl $15, %ecx
    jne 2f
1:  movzbl (%esi), %eax
    incl %esi
    addl %eax, %ecx
    cmpl $255, %eax
    je 1b
2:  addl $4, %ecx
    pushl %esi
    movl %edi, %esi
    subl %edx, %esi
    cmpl $4, %edx
    jb 3f
    movl %ecx, %edx
    shrl $2, %ecx
    rep movsl
    movl %edx, %ecx
    andl $3, %ecx
3:  rep movsb
    popl %esi
    jmp .Lvt_sequence
.Lvt_stored:
    rep movsb
    jmp .Lvt_block
.Lvt_done:
    movl (.Lvt_p_end - vt_boot_stub_begin)(%ebx), %ecx
    subl %edi, %ecx
    xorl %eax, %eax
    rep stosb
    popl %esi
    popl %edi
    # Segments of our own: the loader's may lie in what was just overwritten.
    leal (.Lvt_gdt - vt_boot_stub_begin)(%ebx), %eax
    movl %eax, (.Lvt_gdt + 2 - vt_boot_stub_begin)(%ebx)
    lgdt (.Lvt_gdt - vt_boot_stub_begin)(%ebx)
    # Page tables: one level 4, one level 3, four level 2 tables of 2 MiB pages.
    movl %edi, %ebp
    movl $(0x6000 / 4), %ecx
    xorl %eax, %eax
    rep stosl
    leal 0x1007(%ebp), %eax
    movl %eax, (%ebp)
    leal 0x2007(%ebp), %eax
    leal 0x1000(%ebp), %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $0x1000, %eax
    addl $8, %edi
    loop 1b
    leal 0x2000(%ebp), %edi
    movl $0x83, %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 1b
    # Physical address extension, long mode, paging; the far return loads a 64-bit code segment.
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl %ebp, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl (.Lvt_p_entry - vt_boot_stub_begin)(%ebx), %edi
    pushl $0x10
    leal (.Lvt_long_mode - vt_boot_stub_begin)(%ebx), %eax
    pushl %eax
    movl %cr0, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    lret
.code64
.Lvt_long_mode:
    movl $0x18, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl %esi, %esi
    movl %edi, %edi
    jmp *%rdi
.balign 8
    # The null segment's place holds the descriptor of the table itself.
.Lvt_gdt:
    .word 31
    .long 0
    .word 0
    .quad 0
    .quad 0x00af9a000000ffff
    .quad 0x00cf92000000ffff
vt_boot_stub_parameters:
.Lvt_p_target: .long 0
.Lvt_p_end: .long 0
.Lvt_p_entry: .long 0
.Lvt_p_payload: .long 0
.Lvt_p_scratch: .long 0
vt_boot_stub_end:
.code64
    .popsection
)");
// clang-format on

extern "C" {
extern const char vt_boot_stub_begin[];       // NOLINT(modernize-avoid-c-arrays)
extern const char vt_boot_stub_parameters[];  // NOLINT(modernize-avoid-c-arrays)
extern const char vt_boot_stub_end[];         // NOLINT(modernize-avoid-c-arrays)
}

namespace vt::bootstrap {

std::string_view boot_stub() {
    return {vt_boot_stub_begin, static_cast<std::size_t>(vt_boot_stub_end - vt_boot_stub_begin)};
}

std::size_t boot_stub_parameters_at() {
    return static_cast<std::size_t>(vt_boot_stub_parameters - vt_boot_stub_begin);
}

}  // namespace vt::bootstrap

#else

namespace vt::bootstrap {

std::string_view boot_stub() {
    throw GuestImageError("the guest image can be built on x86-64 only");
}

std::size_t boot_stub_parameters_at() {
    return 0;
}

}  // namespace vt::bootstrap

#endif
