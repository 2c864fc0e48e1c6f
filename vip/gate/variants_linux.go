package gate

// variants are the gates that there are, strongest first.
var variants = []variant{
	{KindBPF, succeedNFT(openBPF)},
	{KindNFT, succeedBPF(openNFT)},
}
