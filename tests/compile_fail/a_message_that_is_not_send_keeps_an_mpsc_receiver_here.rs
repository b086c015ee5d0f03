fn main() {
    let (mut tx, rx) = ringmail::mpsc::channel(1).unwrap();
    tx.send(std::rc::Rc::new(1)).unwrap();
    std::thread::spawn(move || drop(rx)); //~ E0277
}
