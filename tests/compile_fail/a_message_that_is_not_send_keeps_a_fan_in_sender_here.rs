fn main() {
    let (mut tx, _rx) = ringmail::fan_in::channel(1).unwrap();
    tx.send(std::rc::Rc::new(1)).unwrap();
    std::thread::spawn(move || drop(tx)); //~ E0277
}
