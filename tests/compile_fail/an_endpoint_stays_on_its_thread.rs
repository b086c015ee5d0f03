fn main() {
    let seat = ringmail::mesh::Builder::new().shards(1).build::<u64>().unwrap().remove(0);
    let endpoint = seat.join().unwrap();
    std::thread::scope(|scope| {
        let inside = endpoint;
        scope.spawn(move || drop(inside)); //~ E0277
    });
}
