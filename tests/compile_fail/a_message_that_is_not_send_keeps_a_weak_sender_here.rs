fn main() {
    let (mut tx, _rx) = ringmail::mpsc::channel(1).unwrap();
    tx.send(std::rc::Rc::new(1)).unwrap();
    let weak = tx.downgrade();
    std::thread::spawn(move || drop(weak)); //~ E0277
}
