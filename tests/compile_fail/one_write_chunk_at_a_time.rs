fn main() {
    let (mut tx, _rx) = ringmail::spsc::channel::<u64>(2).unwrap();
    let first = tx.try_reserve(1).unwrap();
    drop(tx.try_reserve(1)); //~ E0499
    first.commit();
}
