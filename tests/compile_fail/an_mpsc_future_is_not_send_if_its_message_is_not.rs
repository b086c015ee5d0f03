fn send<T: Send>(_: T) {}

fn main() {
    let (mut tx, mut rx) = ringmail::mpsc::channel::<std::rc::Rc<u64>>(1).unwrap();
    send(tx.send_async(std::rc::Rc::new(1))); //~ E0277
    drop(rx.try_recv());
    drop(tx.try_send(std::rc::Rc::new(1)));
    send(1);
}
