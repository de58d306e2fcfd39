// gVisor's netstack as a peer of the benchmark: discard on 9, chargen on 19, echo on 7 (TCP and UDP), over a TAP device.
//
//	gvisor_peer DEVICE ADDRESS    until killed
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/link/rawfile"
	"gvisor.dev/gvisor/pkg/tcpip/link/tun"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

const nic = 1

func discard(connection net.Conn) {
	buffer := make([]byte, 256*1024)
	for {
		if _, err := connection.Read(buffer); err != nil {
			connection.Close()
			return
		}
	}
}

func chargen(connection net.Conn) {
	buffer := make([]byte, 256*1024)
	for {
		if _, err := connection.Write(buffer); err != nil {
			connection.Close()
			return
		}
	}
}

func echo(connection net.Conn) {
	io.Copy(connection, connection)
	connection.Close()
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: gvisor_peer DEVICE ADDRESS")
	}
	device, text := os.Args[1], os.Args[2]
	address := tcpip.Address(net.ParseIP(text).To4())
	fd, err := tun.OpenTAP(device)
	if err != nil {
		log.Fatal(err)
	}
	mtu, err := rawfile.GetMTU(device)
	if err != nil {
		log.Fatal(err)
	}
	link, err := fdbased.New(&fdbased.Options{FDs: []int{fd}, MTU: mtu, EthernetHeader: true,
		Address: tcpip.LinkAddress("\x02\x00\x00\x00\x00\x02"), PacketDispatchMode: fdbased.Readv})
	if err != nil {
		log.Fatal(err)
	}
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
	})
	// As its own users set it: buffers that fit a fast link, and CUBIC.
	sizes := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4096, Default: 1 << 20, Max: 8 << 20}
	s.SetTransportProtocolOption(tcp.ProtocolNumber, &sizes)
	sendSizes := tcpip.TCPSendBufferSizeRangeOption{Min: 4096, Default: 1 << 20, Max: 8 << 20}
	s.SetTransportProtocolOption(tcp.ProtocolNumber, &sendSizes)
	sack := tcpip.TCPSACKEnabled(true)
	s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack)
	if err := s.CreateNIC(nic, link); err != nil {
		log.Fatal(err)
	}
	own := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: address, PrefixLen: 24}}
	if err := s.AddProtocolAddress(nic, own, stack.AddressProperties{}); err != nil {
		log.Fatal(err)
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})

	for port, serve := range map[uint16]func(net.Conn){9: discard, 19: chargen, 7: echo} {
		listener, err := gonet.ListenTCP(s, tcpip.FullAddress{NIC: nic, Port: port}, ipv4.ProtocolNumber)
		if err != nil {
			log.Fatal(err)
		}
		go func(serve func(net.Conn)) {
			for {
				connection, err := listener.Accept()
				if err != nil {
					log.Fatal(err)
				}
				go serve(connection)
			}
		}(serve)
	}
	datagrams, err := gonet.DialUDP(s, &tcpip.FullAddress{NIC: nic, Addr: address, Port: 7}, nil, ipv4.ProtocolNumber)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	buffer := make([]byte, 2048)
	for {
		size, from, err := datagrams.ReadFrom(buffer)
		if err == nil {
			datagrams.WriteTo(buffer[:size], from)
		}
	}
}
