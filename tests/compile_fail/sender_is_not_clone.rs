fn main() {
    let (tx, _rx) = ringmail::spsc::channel::<u64>(1).unwrap();
    drop(tx.clone()); //~ E0599
}
