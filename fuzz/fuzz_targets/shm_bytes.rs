#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringmail_fuzz::shm_bytes::shm_bytes(data));
