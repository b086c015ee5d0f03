fn main() {
    let (tx, rx) = ringmail::mpsc::channel::<u64>(1).unwrap();
    drop(rx.clone()); //~ E0599
    drop(tx.clone());
}
