fn main() {
    let seats = ringmail::mesh::Builder::new().shards(1).build::<std::rc::Rc<u64>>().unwrap();
    std::thread::scope(|scope| {
        let inside = seats;
        scope.spawn(move || drop(inside)); //~ E0277
    });
}
