fn main() {
    let (tx, _rx) = ringmail::fan_in::channel::<u64>(1).unwrap();
    drop(tx.clone()); //~ E0599
    drop(tx.lane());
}
