fn main() {
    let (_tx, rx) = ringmail::mpsc::channel::<u64>(1).unwrap();
    std::thread::scope(|scope| {
        let shared = &rx;
        scope.spawn(move || shared.len()); //~ E0277
        drop(shared.len());
    });
}
