import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads a topic to its present end with Kafka's own client. One line per record: partition, offset, the partition that
 * Java's producer would choose for the key, then key, value, and name and value of each header, all in base64.
 */
public class ReadTopic {
  public static void main(String[] args) {
    Map<String, Object> config = Map.of("bootstrap.servers", args[0], "allow.auto.create.topics", false);
    ByteArrayDeserializer bytes = new ByteArrayDeserializer();
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(config, bytes, bytes)) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(args[1]).stream().map(ReadTopic::partitionOf).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
          System.out.println(describe(record, partitions.size()));
        }
      }
    }
  }

  private static TopicPartition partitionOf(PartitionInfo info) {
    return new TopicPartition(info.topic(), info.partition());
  }

  private static String describe(ConsumerRecord<byte[], byte[]> record, int partitionCount) {
    StringBuilder line = new StringBuilder();
    line.append(record.partition()).append(' ').append(record.offset()).append(' ');
    line.append(BuiltInPartitioner.partitionForKey(record.key(), partitionCount));
    line.append(' ').append(encode(record.key())).append(' ').append(encode(record.value()));
    for (Header header : record.headers()) {
      line.append(' ').append(encode(header.key().getBytes(StandardCharsets.UTF_8)));
      line.append(' ').append(encode(header.value()));
    }
    return line.toString();
  }

  private static String encode(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }
}
