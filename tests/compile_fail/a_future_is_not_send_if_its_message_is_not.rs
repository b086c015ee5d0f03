fn send<T: Send>(_: T) {}

fn main() {
    let (mut tx, mut rx) = ringmail::spsc::channel::<std::rc::Rc<u64>>(1).unwrap();
    send(rx.recv_async()); //~ E0277
    drop(rx.try_recv());
    drop(tx.try_send(std::rc::Rc::new(1)));
}
