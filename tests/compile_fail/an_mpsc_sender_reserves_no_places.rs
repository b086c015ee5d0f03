fn main() {
    let (mut tx, _rx) = ringmail::mpsc::channel::<u64>(2).unwrap();
    drop(tx.try_reserve(1)); //~ E0599
    tx.send(1).unwrap();
}
