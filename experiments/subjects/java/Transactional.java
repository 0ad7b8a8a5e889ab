/* CommitBeforeAck.java repaired: the records that it writes and the offsets that it has read are of one transaction, so
   that a reader of committed records sees both or neither. */

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;

public class Transactional {
    static final String STRING = "org.apache.kafka.common.serialization.String";

    public static void main(String[] arguments) throws Exception {
        Map<String, String> env = System.getenv();
        Properties reading = new Properties();
        reading.put("bootstrap.servers", env.get("KAFKA_BOOTSTRAP"));
        reading.put("group.id", env.get("KAFKA_GROUP"));
        reading.put("client.id", env.get("KAFKA_CLIENT_ID"));
        reading.put("session.timeout.ms", "6000");
        reading.put("auto.offset.reset", "earliest");
        reading.put("enable.auto.commit", "false");
        reading.put("isolation.level", "read_committed");
        reading.put("key.deserializer", STRING + "Deserializer");
        reading.put("value.deserializer", STRING + "Deserializer");
        Properties writing = new Properties();
        writing.put("bootstrap.servers", env.get("KAFKA_BOOTSTRAP"));
        writing.put("transactional.id", env.get("KAFKA_GROUP") + "-" + env.get("KAFKA_CLIENT_ID"));
        writing.put("key.serializer", STRING + "Serializer");
        writing.put("value.serializer", STRING + "Serializer");

        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(reading);
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            consumer.wakeup();
            try { main.join(); } catch (InterruptedException ignored) { }
        }));
        KafkaProducer<String, String> producer = new KafkaProducer<>(writing);
        try {
            producer.initTransactions();
            consumer.subscribe(List.of(env.get("KAFKA_TOPIC")));
            while (true) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                if (!records.isEmpty()) {
                    pass(records, producer, consumer, env.get("KAFKA_OUTPUT_TOPIC"));
                }
            }
        } catch (WakeupException stopped) {
            producer.close();
            consumer.close();
        }
    }

    static void pass(ConsumerRecords<String, String> records, KafkaProducer<String, String> producer,
                     KafkaConsumer<String, String> consumer, String topic) {
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        producer.beginTransaction();
        try {
            for (ConsumerRecord<String, String> record : records) {
                producer.send(new ProducerRecord<>(topic, record.key(), record.value()));
                next.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
            }
            producer.sendOffsetsToTransaction(next, consumer.groupMetadata());
            producer.commitTransaction();
        } catch (KafkaException failed) {
            System.out.println("aborted: " + failed.getMessage());
            producer.abortTransaction();
            for (TopicPartition partition : records.partitions()) {
                consumer.seek(partition, records.records(partition).get(0).offset()); // poll them again
            }
        }
    }
}
