// Package lvstest holds what the tests of the load-balancing planes share: a model plane with memory, the contract that
// every plane keeps ([Contract]), a network of namespaces with real servers ([NewBed]) and the behaviour of real traffic
// through a plane ([Traffic]). The same bodies run on the model, on nftables in the host's kernel and on IPVS inside
// User-Mode Linux.
//
// The namespaces have no names: they live as long as a file descriptor of the test process, so that nothing is left
// behind however it ends.
package lvstest
