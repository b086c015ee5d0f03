fn main() {
    let (mut tx, _rx) = ringmail::spsc::channel(2).unwrap();
    let values = [String::new()];
    drop(tx.try_send_slice(&values)); //~ E0277
    tx.send_iter(values).unwrap();
}
