fn main() {
    let (mut tx, _rx) = ringmail::mpsc::channel::<u64>(2).unwrap();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    drop(tx.poll_ready(&mut cx)); //~ E0599
    let _ = (tx.try_send(1), &mut cx);
}
