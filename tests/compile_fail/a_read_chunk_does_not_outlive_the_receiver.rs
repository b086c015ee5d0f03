fn main() {
    let (mut tx, mut rx) = ringmail::spsc::channel(1).unwrap();
    tx.send(1).unwrap();
    let chunk = rx.read_chunk(1).unwrap();
    drop(rx); //~ E0505
    chunk.commit_all();
}
