fn main() {
    let (tx, _rx) = ringmail::fan_in::channel::<u64>(1).unwrap();
    std::thread::scope(|scope| {
        let shared = &tx;
        scope.spawn(move || shared.id()); //~ E0277
        drop(shared.lane());
    });
}
