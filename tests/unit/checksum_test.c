/* The Internet checksum, against the definition of RFC 1071. */
#include "format/checksum.h"

#include <arpa/inet.h>

#include "tests/unit/test.h"

/* As the RFC has it, 16 bits at a time. */
static uint16_t
plain(const unsigned char *data, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

int
main(void)
{
	static const unsigned char example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	unsigned char data[4096];
	uint16_t checksum;

	EXPECT(ntohs(checksum_fold(checksum_add(0, example, sizeof(example)))) == 0x220d);
	srandom(1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = random() % 3 == 0 ? 0xff : (unsigned char)random();
	for (size_t size = 0; size < 300; size++)
		for (size_t at = 0; at < 9; at++)
			EXPECT(ntohs(checksum_fold(checksum_add(0, data + at, size))) ==
			       plain(data + at, size));
	/* in pieces, and all bits set: carries everywhere */
	EXPECT(checksum_fold(checksum_add(checksum_add(0, data, 1000), data + 1000, 3001)) ==
	       checksum_fold(checksum_add(0, data, 4001)));
	memset(data, 0xff, sizeof(data));
	EXPECT(ntohs(checksum_fold(checksum_add(UINT64_MAX, data, 4095))) == plain(data, 4095));
	/* over data that hold their checksum it is 0 */
	data[77] = 0;
	data[10] = data[11] = 0;
	checksum = checksum_fold(checksum_add(0, data, 1460));
	memcpy(data + 10, &checksum, sizeof(checksum));
	EXPECT(checksum_fold(checksum_add(0, data, 1460)) == 0);
	puts("ok checksum_test");
	return 0;
}
