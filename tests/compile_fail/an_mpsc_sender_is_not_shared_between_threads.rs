fn main() {
    let (tx, _rx) = ringmail::mpsc::channel::<u64>(1).unwrap();
    std::thread::scope(|scope| {
        let shared = &tx;
        scope.spawn(move || shared.len()); //~ E0277
        drop(shared.clone());
    });
}
