fn main() {
    let (mut tx, _rx) = ringmail::spsc::channel::<u64>(2).unwrap();
    let chunk = tx.try_reserve(1).unwrap();
    drop(tx); //~ E0505
    chunk.commit();
}
