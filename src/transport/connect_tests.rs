//! Tests of sockets.

use super::*;

/// Another process ID stands for the socket that a forked child has copied.
#[tokio::test]
async fn a_forked_child_leaves_the_sockets_of_its_parent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("address");
    for is_child in [false, true] {
        let stream = TcpStream::connect(address).await.expect("connected");
        let (mut peer, _) = listener.accept().expect("accepted");
        peer.set_nonblocking(true).expect("mode");
        let socket = Socket::new(TokioIo::new(stream)).expect("socket");
        socket.0.lock().process += u32::from(is_child);
        drop(socket);
        let end = io::Read::read(&mut peer, &mut [0]);
        assert_eq!(end.is_err(), is_child, "{end:?}");
    }
}
