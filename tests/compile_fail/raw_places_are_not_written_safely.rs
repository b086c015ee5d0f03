fn main() {
    let (mut tx, _rx) = ringmail::spsc::channel::<u64>(2).unwrap();
    let mut chunk = tx.try_reserve(1).unwrap();
    chunk.vacant_slices().0[0].write(1);
    chunk.assume_written(1); //~ E0133
    chunk.commit();
}
