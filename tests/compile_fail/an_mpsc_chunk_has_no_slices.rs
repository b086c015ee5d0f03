fn main() {
    let (mut tx, mut rx) = ringmail::mpsc::channel(1).unwrap();
    tx.send(1).unwrap();
    let chunk = rx.read_chunk(1).unwrap();
    println!("{:?}", chunk.as_slices()); //~ E0599
    chunk.commit_all();
}
