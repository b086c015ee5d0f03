#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringmail_fuzz::spsc_ops::spsc_ops(data));
