fn main() {
    let (_tx, rx) = ringmail::spsc::channel::<u64>(1).unwrap();
    drop(rx.clone()); //~ E0599
}
