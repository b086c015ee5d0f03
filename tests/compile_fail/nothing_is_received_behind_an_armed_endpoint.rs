fn main() {
    let seat = ringmail::mesh::Builder::new().shards(1).build::<u64>().unwrap().remove(0);
    let mut endpoint = seat.join().unwrap();
    let hook = ringmail::wait::waker_fn(|| ());
    let armed = endpoint.arm(&hook);
    drop(endpoint.try_recv()); //~ E0499
    drop(armed);
}
