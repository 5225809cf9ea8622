//! The forms of A32 and T32, as [`super::forms`] says. Most are alike as assembly, and encoded as each of
//! them does.
//!
//! r0 has the address, r1 the buffer; r2, r3, r12, and the SIMD registers d0 to d7 are free.

/// Calls the macro `with` with `prefix` and every form of A32: direction, bytes, alignment, memory type, and
/// the instructions.
#[macro_export]
macro_rules! forms_a32 {
    ($with:ident, $($prefix:tt)*) => {
        $crate::forms_aarch32! {
            $with, [$($prefix)*]
            // Shifted and negative index registers, and what steps the other way
            Load 4 1 device "mov r3, #5", "add r0, r0, #20", "ldr r2, [r0, -r3, lsl #2]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "mov r3, #5", "add r0, r0, #20", "str r2, [r0, -r3, lsl #2]";
            Load 4 1 device "mov r3, #0x500", "sub r0, r0, #5", "ldr r2, [r0, r3, lsr #8]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "mov r3, #0x500", "sub r0, r0, #5", "str r2, [r0, r3, lsr #8]";
            Load 4 1 device "mvn r3, #0x2f", "add r0, r0, #3", "ldr r2, [r0, r3, asr #4]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "mvn r3, #0x2f", "add r0, r0, #3", "str r2, [r0, r3, asr #4]";
            Load 1 1 device "mov r3, #0xc", "sub r0, r0, #0xc00", "ldrb r2, [r0, r3, ror #24]", "strb r2, [r1]";
            Store 1 1 device "ldrb r2, [r1]", "mov r3, #0xc", "sub r0, r0, #0xc00", "strb r2, [r0, r3, ror #24]";
            Load 4 1 device "mov r3, #8", "sub r0, r0, #4", "cmp r3, #9", "ldr r2, [r0, r3, rrx]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "mov r3, #8", "sub r0, r0, #4", "cmp r3, #9", "str r2, [r0, r3, rrx]";
            Load 4 1 device "mov r3, #9", "ldr r2, [r0], r3", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "mov r3, #9", "str r2, [r0], r3";
            Load 4 1 device "mov r3, #9", "sub r0, r0, #36", "ldr r2, [r0, r3, lsl #2]!", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "mov r3, #9", "sub r0, r0, #36", "str r2, [r0, r3, lsl #2]!";
            Load 2 1 device "mov r3, #6", "add r0, r0, r3", "ldrh r2, [r0, -r3]", "strh r2, [r1]";
            Store 2 1 device "ldrh r2, [r1]", "mov r3, #6", "add r0, r0, r3", "strh r2, [r0, -r3]";
            Load 1 1 device "mov r3, #6", "add r0, r0, r3", "ldrsb r2, [r0, -r3]!", "strb r2, [r1]";
            Load 4 1 device "add r0, r0, #4080", "ldr r2, [r0, #-4080]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "add r0, r0, #4080", "str r2, [r0, #-4080]";
            Load 8 4 device "mov r12, #24", "sub r0, r0, r12", "ldrd r2, r3, [r0, r12]", "str r2, [r1]", "str r3, [r1, #4]";
            Store 8 4 device "ldr r2, [r1]", "ldr r3, [r1, #4]", "mov r12, #24", "sub r0, r0, r12", "strd r2, r3, [r0, r12]";
            Load 8 4 device "mov r12, #24", "add r0, r0, r12", "ldrd r2, r3, [r0, -r12]!", "str r2, [r1]", "str r3, [r1, #4]";
            Store 8 4 device "ldr r2, [r1]", "ldr r3, [r1, #4]", "mov r12, #24", "add r0, r0, r12", "strd r2, r3, [r0, -r12]!";
            Load 12 4 device "add r0, r0, #8", "ldmda r0, {r2, r3, r12}", "stm r1, {r2, r3, r12}";
            Store 12 4 device "ldm r1, {r2, r3, r12}", "add r0, r0, #8", "stmda r0, {r2, r3, r12}";
            Load 12 4 device "sub r0, r0, #4", "ldmib r0, {r2, r3, r12}", "stm r1, {r2, r3, r12}";
            Store 12 4 device "ldm r1, {r2, r3, r12}", "sub r0, r0, #4", "stmib r0, {r2, r3, r12}";
            Load 8 4 device "add r0, r0, #4", "ldmda r0!, {r2, r3}", "stm r1, {r2, r3}";
            Store 8 4 device "ldm r1, {r2, r3}", "add r0, r0, #4", "stmda r0!, {r2, r3}";
            Load 8 4 device "sub r0, r0, #4", "ldmib r0!, {r2, r3}", "stm r1, {r2, r3}";
            Store 8 4 device "ldm r1, {r2, r3}", "sub r0, r0, #4", "stmib r0!, {r2, r3}";
            Load 4 4 device "ldm r0!, {r2}", "str r2, [r1]";
            Load 4 1 device "cmp r0, r0", "mov r2, #0", "ldreq r2, [r0]", "ldrne r2, [r1]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "cmp r0, r0", "streq r2, [r0]", "strne r0, [r0]";
            // Ops that fail their condition: they would destroy what is loaded, or drop it too early
            Load 4 1 device "cmp r0, r0", "mcrne p15, 0, r0, c7, c6, 1", "ldr r2, [r0]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "cmp r0, r0", "str r2, [r0]", "mcrne p15, 0, r0, c7, c6, 1";
        }
    };
}

/// The same for T32.
#[macro_export]
macro_rules! forms_t32 {
    ($with:ident, $($prefix:tt)*) => {
        $crate::forms_aarch32! {
            $with, [$($prefix)*]
            // In IT blocks, and what has a 16-bit encoding in its 32-bit one
            Load 4 1 device "cmp r0, r0", "ite eq", "ldreq r2, [r0]", "ldrne r2, [r1]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "cmp r0, r0", "ite eq", "streq r2, [r0]", "strne r0, [r0]";
            Load 4 1 device "cmp r0, r0", "it ne", "mcrne p15, 0, r0, c7, c6, 1", "ldr r2, [r0]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "cmp r0, r0", "str r2, [r0]", "it ne", "mcrne p15, 0, r0, c7, c6, 1";
            Load 2 1 device "ldrh.w r2, [r0]", "strh r2, [r1]";
            Load 4 1 device "ldr.w r2, [r0]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "str.w r2, [r0]";
        }
    };
}

/// The forms that both have, followed by the rows that are passed.
#[macro_export]
#[doc(hidden)]
macro_rules! forms_aarch32 {
    ($with:ident, [$($prefix:tt)*] $($own:tt)*) => {
        $with! {
            $($prefix)*
            // One general register, at once and with each kind of offset
            Load 1 1 device "ldrb r2, [r0]", "strb r2, [r1]";
            Store 1 1 device "ldrb r2, [r1]", "strb r2, [r0]";
            Load 2 1 device "ldrh r2, [r0]", "strh r2, [r1]";
            Store 2 1 device "ldrh r2, [r1]", "strh r2, [r0]";
            Load 4 1 device "ldr r2, [r0]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "str r2, [r0]";
            Load 1 1 device "ldrsb r2, [r0]", "strb r2, [r1]";
            Load 2 1 device "ldrsh r2, [r0]", "strh r2, [r1]";
            Load 4 1 device "sub r0, r0, #124", "ldr r2, [r0, #124]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "sub r0, r0, #124", "str r2, [r0, #124]";
            Load 1 1 device "sub r0, r0, #31", "ldrb r2, [r0, #31]", "strb r2, [r1]";
            Store 1 1 device "ldrb r2, [r1]", "sub r0, r0, #31", "strb r2, [r0, #31]";
            Load 2 1 device "sub r0, r0, #62", "ldrh r2, [r0, #62]", "strh r2, [r1]";
            Store 2 1 device "ldrh r2, [r1]", "sub r0, r0, #62", "strh r2, [r0, #62]";
            Load 4 1 device "sub r0, r0, #2048", "ldr r2, [r0, #2048]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "sub r0, r0, #2048", "str r2, [r0, #2048]";
            Load 4 1 device "add r0, r0, #255", "ldr r2, [r0, #-255]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "add r0, r0, #255", "str r2, [r0, #-255]";
            Load 2 1 device "add r0, r0, #7", "ldrsh r2, [r0, #-7]", "strh r2, [r1]";
            Store 2 1 device "ldrh r2, [r1]", "add r0, r0, #7", "strh r2, [r0, #-7]";
            Load 1 1 device "add r0, r0, #200", "ldrsb r2, [r0, #-200]!", "strb r2, [r1]";
            Store 1 1 device "ldrb r2, [r1]", "add r0, r0, #200", "strb r2, [r0, #-200]!";
            Load 4 1 device "sub r0, r0, #4", "ldr r2, [r0, #4]!", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "sub r0, r0, #4", "str r2, [r0, #4]!";
            Load 4 1 device "ldr r2, [r0], #-8", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "str r2, [r0], #-8";
            Load 2 1 device "ldrh r2, [r0], #6", "strh r2, [r1]";
            Store 2 1 device "ldrh r2, [r1]", "strh r2, [r0], #6";
            Load 1 1 device "ldrb r2, [r0], #1", "strb r2, [r1]";
            Store 1 1 device "ldrb r2, [r1]", "strb r2, [r0], #1";
            Load 4 1 device "mov r3, #5", "sub r0, r0, #20", "ldr r2, [r0, r3, lsl #2]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "mov r3, #5", "sub r0, r0, #20", "str r2, [r0, r3, lsl #2]";
            Load 4 1 device "mov r3, #44", "sub r0, r0, r3", "ldr r2, [r0, r3]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "mov r3, #44", "sub r0, r0, r3", "str r2, [r0, r3]";
            Load 1 1 device "mvn r3, #8", "add r0, r0, #9", "ldrb r2, [r0, r3]", "strb r2, [r1]";
            Store 1 1 device "ldrb r2, [r1]", "mvn r3, #8", "add r0, r0, #9", "strb r2, [r0, r3]";
            Load 2 1 device "mov r3, #12", "sub r0, r0, r3", "ldrh r2, [r0, r3]", "strh r2, [r1]";
            Store 2 1 device "ldrh r2, [r1]", "mov r3, #12", "sub r0, r0, r3", "strh r2, [r0, r3]";
            Load 1 1 device "mov r3, #12", "sub r0, r0, r3", "ldrsb r2, [r0, r3]", "strb r2, [r1]";
            // Unprivileged
            Load 4 1 device "ldrt r2, [r0]", "str r2, [r1]";
            Store 4 1 device "ldr r2, [r1]", "strt r2, [r0]";
            Load 1 1 device "ldrbt r2, [r0]", "strb r2, [r1]";
            Store 1 1 device "ldrb r2, [r1]", "strbt r2, [r0]";
            // Pairs and more
            Load 8 4 device "ldrd r2, r3, [r0]", "str r2, [r1]", "str r3, [r1, #4]";
            Store 8 4 device "ldr r2, [r1]", "ldr r3, [r1, #4]", "strd r2, r3, [r0]";
            Load 8 4 device "sub r0, r0, #16", "ldrd r2, r3, [r0, #16]", "str r2, [r1]", "str r3, [r1, #4]";
            Store 8 4 device "ldr r2, [r1]", "ldr r3, [r1, #4]", "sub r0, r0, #16", "strd r2, r3, [r0, #16]";
            Load 8 4 device "add r0, r0, #8", "ldrd r2, r3, [r0, #-8]!", "str r2, [r1]", "str r3, [r1, #4]";
            Store 8 4 device "ldr r2, [r1]", "ldr r3, [r1, #4]", "add r0, r0, #8", "strd r2, r3, [r0, #-8]!";
            Load 8 4 device "ldrd r2, r3, [r0], #8", "str r2, [r1]", "str r3, [r1, #4]";
            Store 8 4 device "ldr r2, [r1]", "ldr r3, [r1, #4]", "strd r2, r3, [r0], #8";
            Load 8 4 device "ldmia r0, {r2, r3}", "stm r1, {r2, r3}";
            Store 8 4 device "ldm r1, {r2, r3}", "stmia r0, {r2, r3}";
            Load 12 4 device "ldmia r0, {r2, r3, r12}", "stm r1, {r2, r3, r12}";
            Store 12 4 device "ldm r1, {r2, r3, r12}", "stmia r0, {r2, r3, r12}";
            Load 8 4 device "ldmia r0!, {r2, r3}", "stm r1, {r2, r3}";
            Store 8 4 device "ldm r1, {r2, r3}", "stmia r0!, {r2, r3}";
            Load 12 4 device "add r0, r0, #12", "ldmdb r0, {r2, r3, r12}", "stm r1, {r2, r3, r12}";
            Store 12 4 device "ldm r1, {r2, r3, r12}", "add r0, r0, #12", "stmdb r0, {r2, r3, r12}";
            Load 8 4 device "add r0, r0, #8", "ldmdb r0!, {r2, r3}", "stm r1, {r2, r3}";
            Store 8 4 device "ldm r1, {r2, r3}", "add r0, r0, #8", "stmdb r0!, {r2, r3}";
            Load 36 4 device "push {r4-r9}", "ldm r0, {r2-r9, r12}", "stm r1, {r2-r9, r12}", "pop {r4-r9}";
            Store 36 4 device "push {r4-r9}", "ldm r1, {r2-r9, r12}", "stm r0, {r2-r9, r12}", "pop {r4-r9}";
            Load 12 4 device "push {r4}", "mov r12, sp", "mov sp, r0", "pop {r2, r3, r4}", "mov sp, r12", "stm r1, {r2, r3, r4}", "pop {r4}";
            Store 12 4 device "push {r4}", "ldm r1, {r2, r3, r4}", "mov r12, sp", "add r0, r0, #12", "mov sp, r0", "push {r2, r3, r4}", "mov sp, r12", "pop {r4}";
            // Exclusives
            Load 1 1 device "ldrexb r2, [r0]", "clrex", "strb r2, [r1]";
            Exchange 1 1 device "ldrb r3, [r1]", "ldrexb r2, [r0]", "strexb r12, r3, [r0]", "strb r2, [r1]";
            Load 2 2 device "ldrexh r2, [r0]", "clrex", "strh r2, [r1]";
            Exchange 2 2 device "ldrh r3, [r1]", "ldrexh r2, [r0]", "strexh r12, r3, [r0]", "strh r2, [r1]";
            Load 4 4 device "ldrex r2, [r0]", "clrex", "str r2, [r1]";
            Exchange 4 4 device "ldr r3, [r1]", "ldrex r2, [r0]", "strex r12, r3, [r0]", "str r2, [r1]";
            Load 8 8 device "ldrexd r2, r3, [r0]", "clrex", "stm r1, {r2, r3}";
            Exchange 8 8 device "push {r4, r5}", "ldm r1, {r4, r5}", "ldrexd r2, r3, [r0]", "strexd r12, r4, r5, [r0]", "stm r1, {r2, r3}", "pop {r4, r5}";
            // SIMD and floating-point registers
            Load 4 4 device "vldr s0, [r0]", "vstr s0, [r1]";
            Store 4 4 device "vldr s0, [r1]", "vstr s0, [r0]";
            Load 8 4 device "vldr d0, [r0]", "vstr d0, [r1]";
            Store 8 4 device "vldr d0, [r1]", "vstr d0, [r0]";
            Load 8 4 device "sub r0, r0, #64", "vldr d0, [r0, #64]", "vstr d0, [r1]";
            Store 8 4 device "vldr d0, [r1]", "sub r0, r0, #64", "vstr d0, [r0, #64]";
            Load 4 4 device "add r0, r0, #1020", "vldr s0, [r0, #-1020]", "vstr s0, [r1]";
            Store 4 4 device "vldr s0, [r1]", "add r0, r0, #1020", "vstr s0, [r0, #-1020]";
            Load 64 4 device "vldmia r0, {d0-d7}", "vstmia r1, {d0-d7}";
            Store 64 4 device "vldmia r1, {d0-d7}", "vstmia r0, {d0-d7}";
            Load 12 4 device "vldmia r0, {s0-s2}", "vstmia r1, {s0-s2}";
            Store 12 4 device "vldmia r1, {s0-s2}", "vstmia r0, {s0-s2}";
            Load 16 4 device "vldmia r0!, {d0-d1}", "vstmia r1, {d0-d1}";
            Store 16 4 device "vldmia r1, {d0-d1}", "vstmia r0!, {d0-d1}";
            Load 24 4 device "add r0, r0, #24", "vldmdb r0!, {d0-d2}", "vstmia r1, {d0-d2}";
            Store 24 4 device "vldmia r1, {d0-d2}", "add r0, r0, #24", "vstmdb r0!, {d0-d2}";
            Load 20 4 device "add r0, r0, #20", "vldmdb r0!, {s1-s5}", "vstmia r1, {s1-s5}";
            Store 20 4 device "vldmia r1, {s1-s5}", "add r0, r0, #20", "vstmdb r0!, {s1-s5}";
            // Structures, whole
            Load 8 1 device "vld1.8 {d0}, [r0]", "vst1.8 {d0}, [r1]";
            Store 8 1 device "vld1.8 {d0}, [r1]", "vst1.8 {d0}, [r0]";
            Load 16 2 device "vld1.16 {d0, d1}, [r0]", "vst1.16 {d0, d1}, [r1]";
            Store 16 2 device "vld1.16 {d0, d1}, [r1]", "vst1.16 {d0, d1}, [r0]";
            Load 24 1 device "vld1.8 {d0, d1, d2}, [r0]", "vst1.8 {d0, d1, d2}, [r1]";
            Store 24 1 device "vld1.8 {d0, d1, d2}, [r1]", "vst1.8 {d0, d1, d2}, [r0]";
            Load 32 8 device "vld1.64 {d0, d1, d2, d3}, [r0]", "vst1.64 {d0, d1, d2, d3}, [r1]";
            Store 32 8 device "vld1.64 {d0, d1, d2, d3}, [r1]", "vst1.64 {d0, d1, d2, d3}, [r0]";
            Load 16 1 device "vld2.8 {d0, d1}, [r0]", "vst2.8 {d0, d1}, [r1]";
            Store 16 1 device "vld2.8 {d0, d1}, [r1]", "vst2.8 {d0, d1}, [r0]";
            Load 32 2 device "vld2.16 {d0, d1, d2, d3}, [r0]", "vst2.16 {d0, d1, d2, d3}, [r1]";
            Store 32 2 device "vld2.16 {d0, d1, d2, d3}, [r1]", "vst2.16 {d0, d1, d2, d3}, [r0]";
            Load 16 4 device "vld2.32 {d0, d2}, [r0]", "vst2.32 {d0, d2}, [r1]";
            Store 16 4 device "vld2.32 {d0, d2}, [r1]", "vst2.32 {d0, d2}, [r0]";
            Load 24 1 device "vld3.8 {d0, d1, d2}, [r0]", "vst3.8 {d0, d1, d2}, [r1]";
            Store 24 1 device "vld3.8 {d0, d1, d2}, [r1]", "vst3.8 {d0, d1, d2}, [r0]";
            Load 24 2 device "vld3.16 {d0, d2, d4}, [r0]", "vst3.16 {d0, d2, d4}, [r1]";
            Store 24 2 device "vld3.16 {d0, d2, d4}, [r1]", "vst3.16 {d0, d2, d4}, [r0]";
            Load 32 4 device "vld4.32 {d0, d1, d2, d3}, [r0]", "vst4.32 {d0, d1, d2, d3}, [r1]";
            Store 32 4 device "vld4.32 {d0, d1, d2, d3}, [r1]", "vst4.32 {d0, d1, d2, d3}, [r0]";
            Load 16 1 device "vld1.8 {d0, d1}, [r0]!", "vst1.8 {d0, d1}, [r1]";
            Store 16 1 device "vld1.8 {d0, d1}, [r1]", "vst1.8 {d0, d1}, [r0]!";
            Load 32 1 device "mov r3, #5", "vld4.8 {d0, d1, d2, d3}, [r0], r3", "vst4.8 {d0, d1, d2, d3}, [r1]";
            Store 32 1 device "vld4.8 {d0, d1, d2, d3}, [r1]", "mov r3, #5", "vst4.8 {d0, d1, d2, d3}, [r0], r3";
            // Structures, one element of each register, or one to all lanes
            Load 1 1 device "vld1.8 {d0[7]}, [r0]", "vst1.8 {d0[7]}, [r1]";
            Store 1 1 device "vld1.8 {d0[7]}, [r1]", "vst1.8 {d0[7]}, [r0]";
            Load 2 2 device "vld1.16 {d0[2]}, [r0]", "vst1.16 {d0[2]}, [r1]";
            Store 2 2 device "vld1.16 {d0[2]}, [r1]", "vst1.16 {d0[2]}, [r0]";
            Load 4 4 device "vld1.32 {d0[1]}, [r0]", "vst1.32 {d0[1]}, [r1]";
            Store 4 4 device "vld1.32 {d0[1]}, [r1]", "vst1.32 {d0[1]}, [r0]";
            Load 2 1 device "vld2.8 {d0[3], d1[3]}, [r0]", "vst2.8 {d0[3], d1[3]}, [r1]";
            Store 2 1 device "vld2.8 {d0[3], d1[3]}, [r1]", "vst2.8 {d0[3], d1[3]}, [r0]";
            Load 8 4 device "vld2.32 {d0[0], d1[0]}, [r0]", "vst2.32 {d0[0], d1[0]}, [r1]";
            Store 8 4 device "vld2.32 {d0[0], d1[0]}, [r1]", "vst2.32 {d0[0], d1[0]}, [r0]";
            Load 6 2 device "vld3.16 {d0[1], d1[1], d2[1]}, [r0]", "vst3.16 {d0[1], d1[1], d2[1]}, [r1]";
            Store 6 2 device "vld3.16 {d0[1], d1[1], d2[1]}, [r1]", "vst3.16 {d0[1], d1[1], d2[1]}, [r0]";
            Load 4 1 device "vld4.8 {d0[6], d1[6], d2[6], d3[6]}, [r0]", "vst4.8 {d0[6], d1[6], d2[6], d3[6]}, [r1]";
            Store 4 1 device "vld4.8 {d0[6], d1[6], d2[6], d3[6]}, [r1]", "vst4.8 {d0[6], d1[6], d2[6], d3[6]}, [r0]";
            Load 16 4 device "vld4.32 {d0[1], d1[1], d2[1], d3[1]}, [r0]", "vst4.32 {d0[1], d1[1], d2[1], d3[1]}, [r1]";
            Store 16 4 device "vld4.32 {d0[1], d1[1], d2[1], d3[1]}, [r1]", "vst4.32 {d0[1], d1[1], d2[1], d3[1]}, [r0]";
            Load 3 1 device "vld3.8 {d0[0], d1[0], d2[0]}, [r0]!", "vst3.8 {d0[0], d1[0], d2[0]}, [r1]";
            Store 3 1 device "vld3.8 {d0[0], d1[0], d2[0]}, [r1]", "vst3.8 {d0[0], d1[0], d2[0]}, [r0]!";
            Load 1 1 device "vld1.8 {d0[]}, [r0]", "vst1.8 {d0[0]}, [r1]";
            Load 8 4 device "vld2.32 {d0[], d1[]}, [r0]", "vst2.32 {d0[1], d1[1]}, [r1]";
            Load 8 2 device "vld4.16 {d0[], d1[], d2[], d3[]}, [r0]", "vst4.16 {d0[2], d1[2], d2[2], d3[2]}, [r1]";
            $($own)*
        }
    };
}
