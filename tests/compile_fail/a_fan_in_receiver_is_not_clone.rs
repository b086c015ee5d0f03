fn main() {
    let (_tx, rx) = ringmail::fan_in::channel::<u64>(1).unwrap();
    drop(rx.clone()); //~ E0599
}
